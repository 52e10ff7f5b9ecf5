// What ReLU linear attention (L2ViT, arXiv:2501.16182) does beside its matrix products (matmul.wgsl). For each image and head,
// with q+ = relu(q), k+ = relu(k), v (N, E), a temperature t a head, and a floor under the denominator:
//
//   context = k+^T v    ksum = sum_n k+[n]          one product with its row sums
//   out[n]  = t q+[n] context / max(mass[n], FLOOR)        mass[n] = q+[n] . ksum
//
// and backward, with w[n] = 1 / max(mass[n], FLOOR):
//
//   scaled[n]    = w[n] dout[n]
//   dmass[n]     = -(dout[n] . out[n]) w[n]  where mass[n] >= FLOOR, else 0
//   gcontext     = q+^T scaled                       gradient of t context
//   dksum        = sum_n dmass[n] q+[n]
//   dtemperature = sum of gcontext * context
//   dq[n] = t scaled[n] context^T + dmass[n] ksum    where q > 0
//   dk[n] = t v[n] gcontext^T + dksum                where k > 0
//   dv[n] = t k+[n] gcontext
//
// qkv, dqkv          (B, N, 3, HEADS, E): q+, k+ and v, the output of one linear layer
// out, dout, scaled  (B, N, HEADS, E)
// mass, dmass        (B, N, HEADS)
// context, gcontext  (B, HEADS, E, E)
// ksum, dksum        (B, HEADS, E)
// temperature        (HEADS)
// dtemperature_partials (B, E, HEADS), added over B and E by column_sum.add_partials
//
// normalise: takes out as q+ context and finishes it in place, one invocation a token and head.
// backward_rows: dmass and scaled, likewise. backward_ksum: one invocation a Number of dksum.
// backward_matrices: dtemperature_partials, t context and t gcontext, one invocation a row of a matrix.
// backward_relu: finishes dq and dk in place, one invocation a Number of them.
//
// Active tokens (lib/tokens.wgsl): (B, N) is (R), all tokens of the batch, and N is the number of those of an image.
//
// uses lib/invocation.wgsl, lib/number.wgsl, lib/tokens.wgsl

// one element, or four where E allows
alias Number = f32;
const FLOOR: f32 = 100.0;
const HEADS: u32 = 2u;
const NUMBERS: u32 = 8u; // of E
const ROW: u32 = HEADS * NUMBERS;
const N: u32 = 9u; // if all places are tokens

@group(0) @binding(0) var<storage, read> qkv: array<Number>;
@group(0) @binding(1) var<storage, read> temperature: array<f32>;
@group(0) @binding(2) var<storage, read> ksum: array<Number>;
@group(0) @binding(3) var<storage, read_write> out: array<Number>;
@group(0) @binding(4) var<storage, read_write> mass_out: array<f32>;
@group(0) @binding(5) var<storage, read> mass: array<f32>;
@group(0) @binding(6) var<storage, read> dout: array<Number>;
@group(0) @binding(7) var<storage, read> out_in: array<Number>;
@group(0) @binding(8) var<storage, read_write> dmass_out: array<f32>;
@group(0) @binding(9) var<storage, read_write> scaled: array<Number>;
@group(0) @binding(10) var<storage, read> dmass: array<f32>;
@group(0) @binding(11) var<storage, read_write> dksum_out: array<Number>;
@group(0) @binding(12) var<storage, read> dksum: array<Number>;
@group(0) @binding(13) var<storage, read> context: array<Number>;
@group(0) @binding(14) var<storage, read> gcontext: array<Number>;
@group(0) @binding(15) var<storage, read_write> tcontext: array<Number>;
@group(0) @binding(16) var<storage, read_write> tgcontext: array<Number>;
@group(0) @binding(17) var<storage, read_write> dtemperature_partials: array<f32>;
@group(0) @binding(18) var<storage, read_write> dqkv: array<Number>;

@compute @workgroup_size(WIDTH)
fn normalise(ids: Ids) {
  let index = invocation(ids);
  if (index >= in_use(arrayLength(&mass_out))) {
    return;
  }
  let head = index % HEADS;
  let token = index / HEADS;
  let q = (3u * token * HEADS + head) * NUMBERS;
  let k = (image_of(token, N) * HEADS + head) * NUMBERS;
  var sum = Number();
  for (var i = 0u; i < NUMBERS; i++) {
    sum = fma(qkv[q + i], ksum[k + i], sum);
  }
  let m = total(sum);
  let scale = Number(temperature[head] / max(m, FLOOR));
  for (var i = 0u; i < NUMBERS; i++) {
    out[index * NUMBERS + i] *= scale;
  }
  mass_out[index] = m;
}

@compute @workgroup_size(WIDTH)
fn backward_rows(ids: Ids) {
  let index = invocation(ids);
  if (index >= in_use(arrayLength(&dmass_out))) {
    return;
  }
  let w = 1.0 / max(mass[index], FLOOR);
  var sum = Number();
  for (var i = 0u; i < NUMBERS; i++) {
    let g = dout[index * NUMBERS + i];
    sum = fma(g, out_in[index * NUMBERS + i], sum);
    scaled[index * NUMBERS + i] = w * g;
  }
  dmass_out[index] = select(0.0, -w * total(sum), mass[index] >= FLOOR);
}

@compute @workgroup_size(WIDTH)
fn backward_ksum(ids: Ids) {
  let index = invocation(ids);
  if (index >= arrayLength(&dksum_out)) {
    return;
  }
  let image = index / ROW;
  let end = image_start(image + 1u, N);
  let head = index % ROW / NUMBERS;
  var sum = Number();
  for (var n = image_start(image, N); n < end; n++) {
    sum = fma(Number(dmass[n * HEADS + head]), qkv[3u * n * ROW + index % ROW], sum);
  }
  dksum_out[index] = sum;
}

@compute @workgroup_size(WIDTH)
fn backward_matrices(ids: Ids) {
  let index = invocation(ids);
  if (index >= arrayLength(&tcontext) / NUMBERS) {
    return;
  }
  // E, as many as a matrix has rows
  let rows = NUMBERS * ELEMENTS;
  let pair = index / rows;
  let t = Number(temperature[pair % HEADS]);
  var sum = Number();
  for (var i = index * NUMBERS; i < (index + 1u) * NUMBERS; i++) {
    sum = fma(context[i], gcontext[i], sum);
    tcontext[i] = t * context[i];
    tgcontext[i] = t * gcontext[i];
  }
  dtemperature_partials[(pair / HEADS * rows + index % rows) * HEADS + pair % HEADS] = total(sum);
}

@compute @workgroup_size(WIDTH)
fn backward_relu(ids: Ids) {
  let index = invocation(ids);
  if (index >= in_use(arrayLength(&dqkv) / 3u * 2u)) {
    return;
  }
  let token = index / (2u * ROW);
  let column = index % (2u * ROW);
  let sums = image_of(token, N) * ROW + column % ROW;
  let of_q = Number(dmass[token * HEADS + column % ROW / NUMBERS]) * ksum[sums];
  let more = select(dksum[sums], of_q, column < ROW);
  let at = 3u * token * ROW + column;
  dqkv[at] = select(Number(), dqkv[at] + more, qkv[at] > Number());
}
