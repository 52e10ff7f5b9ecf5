// Matrix products for GPUs: the formula is in lib/product.wgsl.
//
// A workgroup of 16 x 16 invocations keeps KTILE rows of its parts of A and B in workgroup memory, where each value serves 16
// invocations, and loads the next ones meanwhile (two buffers). Each invocation computes TM x TN elements of C in registers, as
// 4 x 4 blocks that lie SIDE blocks apart, so that neighbours read neighbouring quads. The whole epilogue is in line.
//
// uses lib/gelu.wgsl, lib/invocation.wgsl, lib/product.wgsl

// what gelu() works on
alias Number = vec4<f32>;
const KTILE: u32 = 16u;
const SIDE: u32 = 16u;        // invocations along each side of a workgroup of tiled
const BM4: u32 = SIDE * TM4;  // quads of rows, and of columns, that a workgroup computes
const BN4: u32 = SIDE * TN4;
const KTILE4: u32 = KTILE / 4u;
const BLOCKS_A: u32 = (KTILE4 * BM4 + 255u) / 256u; // 4 x 4 blocks that an invocation loads
const BLOCKS_B: u32 = (KTILE4 * BN4 + 255u) / 256u;

// two buffers of KTILE rows: quad (p, i) of buffer t holds rows (or columns) 4 i ... 4 i + 3 at k + p
var<workgroup> tile_a: array<vec4<f32>, 2u * KTILE * BM4>;
var<workgroup> tile_b: array<vec4<f32>, 2u * KTILE * BN4>;

// Rows x ... x + 3 of op(A)^T at k ... k + 3, zeros beyond the end of the sum.
fn block_a(start: u32, rows: u32, x: u32, k: u32, last: u32) -> mat4x4<f32> {
  var block: mat4x4<f32>;
  if (A_TRANSPOSED) {
    // unroll
    for (var p = 0u; p < 4u; p++) {
      block[p] = select(vec4<f32>(), a4[(start + min(k + p, dims.k - 1u) * dims.a.step_row + min(x, dims.m - 4u)) / 4u], k + p < last);
    }
  } else {
    // unroll
    for (var s = 0u; s < 4u; s++) {
      block[s] = select(vec4<f32>(), a4[(start + min(x + s, rows - 1u) * dims.a.step_row + min(k, dims.k - 4u)) / 4u], k < last);
    }
    block = transpose(block);
  }
  return block;
}

// Columns x ... x + 3 of op(B) at k ... k + 3, likewise.
fn block_b(start: u32, x: u32, k: u32, last: u32) -> mat4x4<f32> {
  var block: mat4x4<f32>;
  if (B_TRANSPOSED) {
    // unroll
    for (var s = 0u; s < 4u; s++) {
      block[s] = select(vec4<f32>(), b4[(start + min(x + s, dims.n - 1u) * dims.b.step_row + min(k, dims.k - 4u)) / 4u], k < last);
    }
    block = transpose(block);
  } else {
    // unroll
    for (var p = 0u; p < 4u; p++) {
      block[p] = select(vec4<f32>(), b4[(start + min(k + p, dims.k - 1u) * dims.b.step_row + min(x, dims.n - 4u)) / 4u], k + p < last);
    }
  }
  return block;
}

@compute @workgroup_size(SIDE, SIDE)
fn tiled(group: Group, @builtin(local_invocation_index) lane: u32) {
  let at = group_cell(group, (dims.m + 4u * BM4 - 1u) / (4u * BM4), (dims.n + 4u * BN4 - 1u) / (4u * BN4));
  let batch = at.z % dims.batches;
  let segment = at.z / dims.batches;
  let rows = rows_of(batch);
  let row0 = at.x * 4u * BM4;
  if (segment >= dims.segments || row0 >= rows) {
    return;
  }
  let local = vec2<u32>(lane % SIDE, lane / SIDE);
  // where A and B have half a block for each invocation, one half of them loads A and the other B
  let lane_b = (lane + 128u) % 256u;
  let column0 = at.y * 4u * BN4;
  let a_start = start_of(dims.a, batch);
  let b_start = start_of(dims.b, batch);
  let first = segment * dims.k_per_segment;
  let last = min(terms_of(batch), first + dims.k_per_segment);
  var blocks_a: array<mat4x4<f32>, BLOCKS_A>;
  var blocks_b: array<mat4x4<f32>, BLOCKS_B>;
  var sum: array<vec4<f32>, TM * TN4>;
  var row_sum: array<vec4<f32>, TM4>;
  var buffer = 0u;
  // one round more than there are tiles: each stores what the one before has loaded, and loads for the next
  for (var k = first; k < last + KTILE; k += KTILE) {
    // unroll
    for (var s = 0u; s < BLOCKS_A; s++) {
      let block = lane + 256u * s;
      if (k < last && block < KTILE4 * BM4) {
        blocks_a[s] = block_a(a_start, rows, row0 + 4u * (block % BM4), k + 4u * (block / BM4), last);
      }
    }
    // unroll
    for (var s = 0u; s < BLOCKS_B; s++) {
      let block = lane_b + 256u * s;
      if (k < last && block < KTILE4 * BN4) {
        blocks_b[s] = block_b(b_start, column0 + 4u * (block % BN4), k + 4u * (block / BN4), last);
      }
    }
    if (k > first) {
      let from_a = (1u - buffer) * KTILE * BM4 + local.y;
      let from_b = (1u - buffer) * KTILE * BN4 + local.x;
      // unroll
      for (var p = 0u; p < KTILE; p++) {
        var av: array<vec4<f32>, TM4>;
        var bv: array<vec4<f32>, TN4>;
        // unroll
        for (var i = 0u; i < TM4; i++) {
          av[i] = tile_a[from_a + p * BM4 + i * SIDE];
          row_sum[i] += av[i];
        }
        // unroll
        for (var j = 0u; j < TN4; j++) {
          bv[j] = tile_b[from_b + p * BN4 + j * SIDE];
        }
        // unroll
        for (var i = 0u; i < TM; i++) {
          // unroll
          for (var j = 0u; j < TN4; j++) {
            sum[i * TN4 + j] = fma(vec4<f32>(av[i / 4u][i % 4u]), bv[j], sum[i * TN4 + j]);
          }
        }
      }
    }
    // unroll
    for (var s = 0u; s < BLOCKS_A; s++) {
      let block = lane + 256u * s;
      if (block < KTILE4 * BM4) {
        // unroll
        for (var p = 0u; p < 4u; p++) {
          tile_a[(buffer * KTILE + 4u * (block / BM4) + p) * BM4 + block % BM4] = blocks_a[s][p];
        }
      }
    }
    // unroll
    for (var s = 0u; s < BLOCKS_B; s++) {
      let block = lane_b + 256u * s;
      if (block < KTILE4 * BN4) {
        // unroll
        for (var p = 0u; p < 4u; p++) {
          tile_b[(buffer * KTILE + 4u * (block / BN4) + p) * BN4 + block % BN4] = blocks_b[s][p];
        }
      }
    }
    workgroupBarrier();
    buffer = 1u - buffer;
  }
  let c_start = result_of(batch, segment);
  // unroll
  for (var j = 0u; j < TN4; j++) {
    let column = column0 + 4u * (j * SIDE + local.x);
    let b = bias_of(column);
    // unroll
    for (var i = 0u; i < TM; i++) {
      let row = row0 + 4u * (i / 4u * SIDE + local.y) + i % 4u;
      if (row < rows && column < dims.n) {
        let element = (row * dims.n + column) / 4u;
        var value = linear4(column, sum[i * TN4 + j], b);
        if (GELU) {
          pre_out4[element] = value;
          value = gelu(value);
        }
        c4[(c_start + row * dims.c.step_row + column) / 4u] = finish4(element, value);
      }
    }
  }
  if (A_TRANSPOSED) {
    // unroll
    for (var i = 0u; i < TM4; i++) {
      let row = row0 + 4u * (i * SIDE + local.y);
      if (at.y == 0u && local.x == 0u && row < dims.m) {
        row_sums4[(sums_of(batch, segment) + row) / 4u] = row_sum[i];
      }
    }
  }
}
