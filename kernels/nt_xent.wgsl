// NT-Xent, the contrastive loss of SimCLR (Chen et al., arXiv:2002.05709), from the similarities of 2 n
// projections: rows 0 ... n-1 are the first views of n images, rows n ... 2n-1 the second views.
//
//   s[i, j]  = z_i . z_j / temperature            (given)      t(i) = (i + n) mod 2n: the other view of i
//   lse[i]   = log(sum over j != i of exp(s[i, j]))
//   loss[i]  = lse[i] - s[i, t(i)]                             the total is the mean over i
//   correct[i] = 1 if no j != i is more similar to i than t(i), else 0
//
// The gradient with respect to z_i is (1 / temperature) sum over j of h[i, j] z_j, where both the row and the
// column of s that hold z_i count:
//
//   h[i, j] = (exp(s[i, j] - lse[i]) + exp(s[i, j] - lse[j]) - 2 [j = t(i)]) / 2n,   h[i, i] = 0
//
// s, h  (2n, 2n)      lse, loss, correct  (2n)
//
// forward: one invocation a row. backward: one invocation an element.
//
// uses lib/invocation.wgsl

@group(0) @binding(0) var<storage, read> s: array<f32>;
@group(0) @binding(1) var<storage, read_write> lse_out: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> correct: array<f32>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> h: array<f32>;

fn other_view(i: u32, rows: u32) -> u32 {
  return (i + rows / 2u) % rows;
}

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let rows = arrayLength(&loss);
  let i = invocation(ids);
  if (i >= rows) {
    return;
  }
  let positive = s[i * rows + other_view(i, rows)];
  var largest = positive;
  for (var j = 0u; j < rows; j++) {
    largest = select(max(largest, s[i * rows + j]), largest, j == i);
  }
  var sum = 0.0;
  for (var j = 0u; j < rows; j++) {
    sum += select(exp(s[i * rows + j] - largest), 0.0, j == i);
  }
  let total = log(sum) + largest;
  lse_out[i] = total;
  loss[i] = total - positive;
  correct[i] = f32(positive == largest);
}

@compute @workgroup_size(WIDTH)
fn backward(ids: Ids) {
  let at = invocation(ids);
  if (at >= arrayLength(&h)) {
    return;
  }
  let rows = arrayLength(&lse);
  let i = at / rows;
  let j = at % rows;
  let value = exp(s[at] - lse[i]) + exp(s[at] - lse[j]) - select(0.0, 2.0, j == other_view(i, rows));
  h[at] = select(value / f32(rows), 0.0, i == j);
}
