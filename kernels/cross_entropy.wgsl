// Softmax cross entropy of each row, and its gradient.
//
//   goal[b, c]    = (1 - SMOOTHING) [c = label[b]] + SMOOTHING / CLASSES
//   share[b]      = row_weight[b] class_weight[label[b]]; 1 for what is not given (WEIGHTED, BALANCED)
//   loss[b]       = share[b] (log(sum over c of exp(logits[b, c])) - sum over c of goal[b, c] logits[b, c])
//   dlogits[b, c] = share[b] (softmax(logits[b])[c] - goal[b, c]) WEIGHT / B
//   correct[b]    = row_weight[b] if the first largest logit is the label's, else 0
//
// SMOOTHING takes a part of the label's share and gives it to all classes alike (Szegedy et al., arXiv:1512.00567).
// WEIGHT is the factor of the mean loss in the total. The largest logit is taken out before exp, so no
// finite logits overflow.
//
// logits, dlogits  (B, CLASSES)      label, loss, correct, row_weight  (B)      class_weight  (CLASSES)
//
// One invocation a row.
//
// uses lib/invocation.wgsl

const CLASSES: u32 = 2u;
const WEIGHT: f32 = 1.0;
const SMOOTHING: f32 = 0.0;
const WEIGHTED: bool = false;
const BALANCED: bool = false;

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> label: array<u32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> correct: array<f32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(5) var<storage, read> row_weight: array<f32>;
@group(0) @binding(6) var<storage, read> class_weight: array<f32>;

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
  var counts = 1.0;
  if (WEIGHTED) {
    counts = row_weight[row];
  }
  var share = counts;
  if (BALANCED) {
    share *= class_weight[target_class];
  }
  var others = 0.0;
  for (var c = 0u; c < CLASSES; c++) {
    let p = exp(logits[base + c] - largest) / sum;
    let goal = (1.0 - SMOOTHING) * f32(c == target_class) + SMOOTHING / f32(CLASSES);
    dlogits[base + c] = share * (p - goal) * WEIGHT / f32(rows);
    others += logits[base + target_class] - logits[base + c];
  }
  loss[row] = log(sum) + largest - logits[base + target_class];
  if (SMOOTHING > 0.0) {
    loss[row] += SMOOTHING / f32(CLASSES) * others;
  }
  loss[row] *= share;
  correct[row] = counts * f32(best == target_class);
}
