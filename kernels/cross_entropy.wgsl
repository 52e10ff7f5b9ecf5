// Softmax cross entropy of each row, and its gradient.
//
//   loss[b]       = log(sum over c of exp(logits[b, c])) - logits[b, label[b]]
//   dlogits[b, c] = (softmax(logits[b])[c] - [c = label[b]]) WEIGHT / B
//   correct[b]    = 1 if the first largest logit is the label's, else 0
//
// WEIGHT is the factor of the mean loss in the total. The largest logit is taken out before exp, so no
// finite logits overflow.
//
// logits, dlogits  (B, CLASSES)      label, loss, correct  (B)
//
// One invocation a row.
//
// uses lib/invocation.wgsl

const CLASSES: u32 = 2u;
const WEIGHT: f32 = 1.0;

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> label: array<u32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> correct: array<f32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>;

@compute @workgroup_size(WIDTH)
fn forward(ids: Ids) {
  let row = invocation(ids);
  let rows = arrayLength(&label);
  if (row >= rows) {
    return;
  }
  let base = row * CLASSES;
  var best = 0u;
  for (var c = 1u; c < CLASSES; c++) {
    best = select(best, c, logits[base + c] > logits[base + best]);
  }
  let largest = logits[base + best];
  var sum = 0.0;
  for (var c = 0u; c < CLASSES; c++) {
    sum += exp(logits[base + c] - largest);
  }
  let target_class = label[row];
  for (var c = 0u; c < CLASSES; c++) {
    let p = exp(logits[base + c] - largest) / sum;
    dlogits[base + c] = (p - f32(c == target_class)) * WEIGHT / f32(rows);
  }
  loss[row] = log(sum) + largest - logits[base + target_class];
  correct[row] = f32(best == target_class);
}
