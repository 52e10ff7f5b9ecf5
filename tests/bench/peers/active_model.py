"""L2ViT on active tokens in plain PyTorch, the peer of model.tokens: active.

A token is active if its patch holds a non-zero pixel. Only active tokens exist for the model: attention, BatchNorm's
statistics and the final mean run over them, and the depthwise convolutions of the local concentration module read zeros
at inactive places and write only at active ones (submanifold convolution). Where every token is active the model is the
reference L2ViT; parameter names are the same, so a state dict fits both. With cfg["lcm_wide"] what lies between the two
convolutions is kept on the whole grid instead: it trains to better results, and costs little, since only depthwise work grows.

Each layer is written twice: `forward(x, mask, ...)` on the dense grid, every formula as it is defined, and
`packed(x, seg)` on the active tokens of a batch one after the other. Both give the same numbers.

Shapes: B images, C channels, S side, P patch side, G = S // P, N = G * G places, D embedding, H heads, d = D // H,
T active tokens in the whole batch, L the most active tokens of one image. mask (B, N) bool: True where active.
"""
import torch
import torch.nn.functional as F
from torch import nn


class Segments:
    """Where the T packed tokens lie: image (T) and place (T) in 0..N-1, sorted by image."""

    def __init__(self, image, place, batch, grid):
        self.batch, self.grid = batch, grid
        self.image, self.place = image, place
        self.count = torch.bincount(image, minlength=batch)
        start = self.count.cumsum(0) - self.count
        self.most = max(1, int(self.count.max()))
        self.cell = image * grid * grid + place                                           # row on the grid
        self.slot = image * self.most + torch.arange(len(image)) - start[image]           # row among B x L

    @staticmethod
    def of(mask, grid):
        image, place = mask.nonzero(as_tuple=True)
        return Segments(image, place, len(mask), grid)

    def to_slots(self, x):
        """(T, D) -> (B, L, D), zeros after an image's last token."""
        return x.new_zeros(self.batch * self.most, x.shape[1]).index_copy(0, self.slot, x).view(self.batch, self.most, -1)

    def from_slots(self, y):
        return y.flatten(0, 1).index_select(0, self.slot)

    def to_grid(self, x):
        """(T, D) -> (B, D, G, G), zeros where no token is; memory order (B, G, G, D)."""
        y = x.new_zeros(self.batch * self.grid**2, x.shape[1]).index_copy(0, self.cell, x)
        return y.view(self.batch, self.grid, self.grid, -1).permute(0, 3, 1, 2)

    def from_grid(self, y):
        return y.permute(0, 2, 3, 1).reshape(-1, y.shape[1]).index_select(0, self.cell)

    def mean(self, x):
        """Mean over an image's tokens; 0 for an image without any."""
        total = x.new_zeros(self.batch, x.shape[1]).index_add(0, self.image, x)
        return total / self.count.clamp(min=1).unsqueeze(1)


class LinearAttention(nn.Module):
    """out_n = relu(q_n) @ (sum_m a_m relu(k_m)^T v_m) * temperature / max(relu(q_n) . sum_m a_m relu(k_m), floor)"""

    def __init__(self, dim, heads, floor):
        super().__init__()
        self.heads, self.floor = heads, floor
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.temperature = nn.Parameter(torch.full((heads, 1, 1), (dim // heads) ** -0.5))

    def attend(self, qkv, mask=None):
        b, n, dim3 = qkv.shape
        q, k, v = qkv.view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = q.relu(), k.relu()
        if mask is not None:
            k = k * mask[:, None, :, None]
        context = (k.transpose(-1, -2) @ v) * self.temperature
        mass = (q * k.sum(dim=-2, keepdim=True)).sum(-1, keepdim=True).clamp(min=self.floor)
        return ((q @ context) / mass).transpose(1, 2).reshape(b, n, dim3 // 3)

    def forward(self, x, mask=None):
        return self.proj(self.attend(self.qkv(x), mask))

    def packed(self, x, seg):  # empty slots hold k = 0: nothing is added to the sums
        return self.proj(seg.from_slots(self.attend(seg.to_slots(self.qkv(x)))))


class LocalConcentration(nn.Module):
    """Depthwise convolutions. Submanifold: a * conv2(a * BN(gelu(conv1(a * x)))), BN's statistics over active tokens.
    Wide: a * conv2(BN(gelu(conv1(a * x)))), what lies between the convolutions lives on the whole grid, and so do the
    statistics. (Outside the grid both read zeros.)"""

    def __init__(self, dim, kernel, wide=False):
        super().__init__()
        self.wide = wide
        self.conv1 = nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.bn = nn.BatchNorm2d(dim)
        self.conv2 = nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim)

    def norm(self, x):
        """BatchNorm of rows (T, D): mean and biased variance over the rows; running variance unbiased, momentum 0.1."""
        bn = self.bn
        return F.batch_norm(x, bn.running_mean, bn.running_var, bn.weight, bn.bias, self.training, bn.momentum, bn.eps)

    def forward(self, x, grid, mask=None):
        b, n, dim = x.shape
        if mask is None:
            mask = torch.ones(b, n, dtype=torch.bool)
        a = mask.view(b, 1, grid, grid).to(x.dtype)
        on_grid = lambda t: t.reshape(b, grid, grid, dim).permute(0, 3, 1, 2)
        y = F.gelu(self.conv1(on_grid(x) * a)).permute(0, 2, 3, 1).reshape(b * n, dim)
        if self.wide:
            y = self.norm(y)
        else:
            rows = mask.flatten().nonzero().squeeze(1)
            y = torch.zeros_like(y).index_copy(0, rows, self.norm(y.index_select(0, rows)))   # inactive: exactly 0, not BN(0)
        y = self.conv2(on_grid(y)) * a
        return y.permute(0, 2, 3, 1).reshape(b, n, dim)

    def packed(self, x, seg):
        y = F.gelu(self.conv1(seg.to_grid(x)))
        if self.wide:
            rows = self.norm(y.permute(0, 2, 3, 1).flatten(0, 2))
            return seg.from_grid(self.conv2(rows.view(seg.batch, seg.grid, seg.grid, -1).permute(0, 3, 1, 2)))
        return seg.from_grid(self.conv2(seg.to_grid(self.norm(seg.from_grid(y)))))


class Mlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads, mlp_ratio, kernel, floor, wide=False):
        super().__init__()
        self.norm1, self.norm_lcm, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = LinearAttention(dim, heads, floor)
        self.lcm = LocalConcentration(dim, kernel, wide)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))

    def forward(self, x, grid, mask=None):
        x = x + self.attn(self.norm1(x), mask)
        x = x + self.lcm(self.norm_lcm(x), grid, mask)
        return x + self.mlp(self.norm2(x))

    def packed(self, x, seg, skip_lcm=False):
        x = x + self.attn.packed(self.norm1(x), seg)
        if not skip_lcm:
            x = x + self.lcm.packed(self.norm_lcm(x), seg)
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.proj = nn.Conv2d(cfg["in_channels"], cfg["embed_dim"], cfg["patch_size"], stride=cfg["patch_size"])
        self.norm = nn.LayerNorm(cfg["embed_dim"])

    def forward(self, x):
        return self.norm(self.proj(x).flatten(2).transpose(1, 2))

    def packed(self, patches):
        """patches (T, P * P * C), pixels in (row, column, channel) order."""
        return self.norm(F.linear(patches, self.proj.weight.permute(0, 2, 3, 1).flatten(1), self.proj.bias))


class L2ViT(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.grid = cfg["img_size"] // cfg["patch_size"]
        self.patch = cfg["patch_size"]
        dim = cfg["embed_dim"]
        self.patch_embed = PatchEmbed(cfg)
        self.pos_embed = nn.Parameter(torch.zeros(1, self.grid**2, dim))
        self.blocks = nn.ModuleList(
            Block(dim, cfg["num_heads"], cfg["mlp_ratio"], cfg["lcm_kernel"], cfg["denominator_floor"],
                  cfg.get("lcm_wide", False))
            for _ in range(cfg["depth"]))
        self.norm = nn.LayerNorm(dim)
        self.cls_head = nn.Linear(dim, cfg["num_classes"])
        self.reg_head = nn.Linear(dim, 1)

    def features(self, x, mask=None):
        """Dense. mask None: every token (the reference); else active tokens."""
        x = self.patch_embed(x) + self.pos_embed
        for block in self.blocks:
            x = block(x, self.grid, mask)
        x = self.norm(x)
        if mask is None:
            return x.mean(1)
        a = mask.unsqueeze(-1).to(x.dtype)
        return (x * a).sum(1) / a.sum(1).clamp(min=1)

    def encode_packed(self, patches, seg):
        """Packed: (T, P * P * C) -> (T, D) after the last norm."""
        x = self.patch_embed.packed(patches) + self.pos_embed[0].index_select(0, seg.place)
        for block in self.blocks:
            x = block.packed(x, seg)
        return self.norm(x)

    def heads(self, f):
        return self.cls_head(f), self.reg_head(f)

    def forward(self, x, mask=None):
        return self.heads(self.features(x, mask))

    def forward_packed(self, patches, seg):
        return self.heads(seg.mean(self.encode_packed(patches, seg)))


def active_mask(x, p):
    """(B, C, S, S) -> (B, N): True where a patch holds a non-zero pixel."""
    b, c, s, _ = x.shape
    g = s // p
    return (x[..., : g * p, : g * p].reshape(b, c, g, p, g, p) != 0).permute(0, 2, 4, 1, 3, 5).flatten(3).any(3).flatten(1)


def patchify(x, p):
    """(B, C, S, S) -> (B, N, P * P * C), pixels of a patch in (row, column, channel) order."""
    b, c, s, _ = x.shape
    g = s // p
    return x.view(b, c, g, p, g, p).permute(0, 2, 4, 3, 5, 1).reshape(b, g * g, p * p * c)
