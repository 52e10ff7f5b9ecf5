// Matrix products in registers, for software adapters and small or odd sizes; the formula is in lib/product.wgsl.
// kernels/matmul_tiled.wgsl is for large ones on GPUs.
//
// One invocation computes TM x TN elements of C: per k it loads TM + TN values for TM TN multiplications.
//
//   general     any size
//   vectorised  four values at a time; every invocation loads all it needs; tiles of all batches and segments lie in one row
//   broadcast   four values at a time; a workgroup is one subgroup of LANES invocations with the same columns: each loads its share of
//               the values of B at four k and hands it to the others. TM and TN are multiples of 4 and LANES, B is not transposed.
//               A_SAMPLED, B_SAMPLED: A and B are read from textures
//
// They do alpha, bias and ReLU; entry points epilogue and epilogue4 do the rest in place, in a pass of their own whose invocations
// lie side by side: in line with the tile it would take long to compile, and its invocations would be rows apart. If there is GELU, the
// product is stored as what comes before it, and the pass begins there.
//
// uses lib/gelu.wgsl, lib/invocation.wgsl, lib/product.wgsl, lib/texels.wgsl, lib/tokens.wgsl

// what gelu() works on
alias Number = vec4<f32>;
const KSTEP: u32 = 4u; // k at a time, of vectorised
const LANES: u32 = 8u; // of a subgroup, for broadcast; 4 to a row of B, which shares it in LANES / 4 parts
const SHARE: u32 = TN / LANES; // quads of B that each loads
const A_SAMPLED: bool = false;
const B_SAMPLED: bool = false;

// Which tile an invocation of general or vectorised computes.
struct Task {
  row: u32,
  column: u32,
  batch: u32,
  segment: u32,
}

fn task_of(ids: Ids) -> Task {
  let at = cell(ids, dims.row_tiles * dims.batches * dims.segments);
  let product = at.column / dims.row_tiles;
  return Task(at.column % dims.row_tiles * TM, at.row * TN, product % dims.batches, product / dims.batches);
}

@compute @workgroup_size(WIDTH)
fn general(ids: Ids) {
  let task = task_of(ids);
  let rows = rows_of(task.batch);
  if (task.segment >= dims.segments || task.column >= dims.n || task.row >= rows) {
    return;
  }
  let a_start = start_of(dims.a, task.batch);
  let b_start = start_of(dims.b, task.batch);
  let last = min(terms_of(task.batch), (task.segment + 1u) * dims.k_per_segment);
  var sum: array<f32, TM * TN>;
  var row_sum: array<f32, TM>;
  for (var k = task.segment * dims.k_per_segment; k < last; k++) {
    var av: array<f32, TM>;
    var bv: array<f32, TN>;
    // unroll
    for (var i = 0u; i < TM; i++) {
      av[i] = a[a_start + dot(dims.a_strides, vec2<u32>(min(task.row + i, rows - 1u), k))];
      row_sum[i] += av[i];
    }
    // unroll
    for (var j = 0u; j < TN; j++) {
      bv[j] = b[b_start + dot(dims.b_strides, vec2<u32>(min(task.column + j, dims.n - 1u), k))];
    }
    // unroll
    for (var i = 0u; i < TM; i++) {
      // unroll
      for (var j = 0u; j < TN; j++) {
        sum[i * TN + j] = fma(av[i], bv[j], sum[i * TN + j]);
      }
    }
  }
  // unroll
  for (var i = 0u; i < TM; i++) {
    // unroll
    for (var j = 0u; j < TN; j++) {
      store(task, rows, i, j, sum[i * TN + j]);
    }
  }
  // unroll
  for (var i = 0u; i < TM; i++) {
    if (task.column == 0u && task.row + i < rows) {
      row_sums[sums_of(task.batch, task.segment) + task.row + i] = row_sum[i];
    }
  }
}

// Element (i, j) of a tile.
fn store(task: Task, rows: u32, i: u32, j: u32, sum: f32) {
  let row = task.row + i;
  let column = task.column + j;
  if (row < rows && column < dims.n) {
    let value = fma(dims.alpha, sum, select(0.0, bias[column], dims.bias == 1u));
    // a comparison with NaN is false: it stays NaN
    let cut = column < dims.relu && value < 0.0;
    c[result_of(task.batch, task.segment) + row * dims.c.step_row + column] = select(value, 0.0, cut);
  }
}

@compute @workgroup_size(WIDTH)
fn vectorised(ids: Ids) {
  let task = task_of(ids);
  let row = task.row;
  let column = task.column;
  let rows = rows_of(task.batch);
  if (task.segment >= dims.segments || column >= dims.n || row >= rows) {
    return;
  }
  let a_start = start_of(dims.a, task.batch);
  let b_start = start_of(dims.b, task.batch);
  let last = min(terms_of(task.batch), (task.segment + 1u) * dims.k_per_segment);
  // sum[i TN4 + j] holds columns 4 j ... 4 j + 3 of row i
  var sum: array<vec4<f32>, TM * TN4>;
  var row_sum: array<vec4<f32>, TM4>;
  for (var k = task.segment * dims.k_per_segment; k < last; k += KSTEP) {
    // A_TRANSPOSED: av[p TM4 + i] holds rows 4 i ... 4 i + 3 at k + p, else av[i] row i at k ... k + 3
    var av: array<vec4<f32>, TM>;
    // bv[p TN4 + j] holds columns 4 j ... 4 j + 3 at k + p
    var bv: array<vec4<f32>, KSTEP * TN4>;
    if (A_TRANSPOSED) {
      // unroll
      for (var p = 0u; p < KSTEP; p++) {
        // unroll
        for (var i = 0u; i < TM4; i++) {
          av[p * TM4 + i] = a4[(a_start + (k + p) * dims.a.step_row + min(row + 4u * i, dims.m - 4u)) / 4u];
          row_sum[i] += av[p * TM4 + i];
        }
      }
    } else {
      // unroll
      for (var i = 0u; i < TM; i++) {
        av[i] = a4[(a_start + min(row + i, rows - 1u) * dims.a.step_row + k) / 4u];
      }
    }
    if (B_TRANSPOSED) {
      // unroll
      for (var j = 0u; j < TN4; j++) {
        let first = b_start + min(column + 4u * j, dims.n - 4u) * dims.b.step_row + k;
        let t = transpose(mat4x4<f32>(
          b4[first / 4u],
          b4[(first + dims.b.step_row) / 4u],
          b4[(first + 2u * dims.b.step_row) / 4u],
          b4[(first + 3u * dims.b.step_row) / 4u],
        ));
        // unroll
        for (var p = 0u; p < KSTEP; p++) {
          bv[p * TN4 + j] = t[p];
        }
      }
    } else {
      // unroll
      for (var p = 0u; p < KSTEP; p++) {
        // unroll
        for (var j = 0u; j < TN4; j++) {
          bv[p * TN4 + j] = b4[(b_start + (k + p) * dims.b.step_row + min(column + 4u * j, dims.n - 4u)) / 4u];
        }
      }
    }
    // the sum over p is innermost, so that a sum stays in a register for KSTEP multiplications
    // unroll
    for (var i = 0u; i < TM; i++) {
      // unroll
      for (var j = 0u; j < TN4; j++) {
        // unroll
        for (var p = 0u; p < KSTEP; p++) {
          if (A_TRANSPOSED) {
            sum[i * TN4 + j] = fma(vec4<f32>(av[p * TM4 + i / 4u][i % 4u]), bv[p * TN4 + j], sum[i * TN4 + j]);
          } else {
            sum[i * TN4 + j] = fma(vec4<f32>(av[i][p]), bv[p * TN4 + j], sum[i * TN4 + j]);
          }
        }
      }
    }
  }
  let c_start = (result_of(task.batch, task.segment) + row * dims.c.step_row + column) / 4u;
  // unroll
  for (var j = 0u; j < TN4; j++) {
    let b = bias_of(column + 4u * j);
    // unroll
    for (var i = 0u; i < TM; i++) {
      store4(c_start, rows, row, column, i, j, linear4(column + 4u * j, sum[i * TN4 + j], b));
    }
  }
  if (A_TRANSPOSED) {
    // unroll
    for (var i = 0u; i < TM4; i++) {
      if (column == 0u && row + 4u * i < dims.m) {
        row_sums4[(sums_of(task.batch, task.segment) + row) / 4u + i] = row_sum[i];
      }
    }
  }
}

// Row i and quad j of a tile that begins at a row and column, and at a quad of c4.
fn store4(start: u32, rows: u32, row: u32, column: u32, i: u32, j: u32, value: vec4<f32>) {
  if (row + i < rows && column + 4u * j < dims.n) {
    c4[start + i * (dims.c.step_row / 4u) + j] = value;
  }
}

// Quad i of A.
fn a_quad(i: u32) -> vec4<f32> {
  if (A_SAMPLED) {
    return texel(a_texels, i);
  } else {
    return a4[i];
  }
}

// Quad i of B.
fn b_quad(i: u32) -> vec4<f32> {
  if (B_SAMPLED) {
    return texel(b_texels, i);
  } else {
    return b4[i];
  }
}

@compute @workgroup_size(LANES)
fn broadcast(group: Group, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) rank: u32) {
  let at = group_cell(group, (dims.n + TN - 1u) / TN, (dims.row_tiles + LANES - 1u) / LANES);
  let batch = at.z % dims.batches;
  let segment = at.z / dims.batches;
  let rows = rows_of(batch);
  let terms = terms_of(batch);
  if (segment >= dims.segments || LANES * at.y * TM >= rows) {
    return;
  }
  // rows beyond the end are computed too, from the last ones: every invocation has to lend its values
  let row = (LANES * at.y + lane) * TM;
  let column = at.x * TN;
  // in quads
  let a_start = start_of(dims.a, batch) / 4u;
  let b_start = start_of(dims.b, batch) / 4u;
  let a_step = dims.a.step_row / 4u;
  let b_step = dims.b.step_row / 4u;
  let last = min(terms, (segment + 1u) * dims.k_per_segment);
  var sum: array<vec4<f32>, TM * TN4>;
  var row_sum: array<vec4<f32>, TM4>;
  for (var k = segment * dims.k_per_segment; k < last; k += 4u) {
    // what this invocation lends: some of the columns at k + rank % 4, zeros beyond the end of the sum
    var own: array<vec4<f32>, SHARE>;
    let own_k = k + rank % 4u;
    let own_row = b_start + min(own_k, terms - 1u) * b_step;
    let own_column = column + rank / 4u * 4u * SHARE;
    // unroll
    for (var j = 0u; j < SHARE; j++) {
      own[j] = select(vec4<f32>(), b_quad(own_row + min(own_column + 4u * j, dims.n - 4u) / 4u), own_k < last);
    }
    var av: array<vec4<f32>, TM>;
    if (A_TRANSPOSED) {
      // unroll
      for (var p = 0u; p < 4u; p++) {
        let at = a_start + min(k + p, terms - 1u) * a_step;
        let there = select(0.0, 1.0, k + p < last);
        // unroll
        for (var i = 0u; i < TM4; i++) {
          av[p * TM4 + i] = a_quad(at + min(row + 4u * i, dims.m - 4u) / 4u);
          row_sum[i] = fma(vec4<f32>(there), av[p * TM4 + i], row_sum[i]);
        }
      }
    } else {
      // unroll
      for (var i = 0u; i < TM; i++) {
        av[i] = a_quad(a_start + min(row + i, rows - 1u) * a_step + k / 4u);
      }
    }
    // unroll
    for (var j = 0u; j < TN4; j++) {
      // columns 4 j ... 4 j + 3 at k + p
      var bv: array<vec4<f32>, 4>;
      // unroll
      for (var p = 0u; p < 4u; p++) {
        bv[p] = subgroupBroadcast(own[j % SHARE], p + j / SHARE * 4u);
      }
      // unroll
      for (var i = 0u; i < TM; i++) {
        // unroll
        for (var p = 0u; p < 4u; p++) {
          if (A_TRANSPOSED) {
            sum[i * TN4 + j] = fma(vec4<f32>(av[p * TM4 + i / 4u][i % 4u]), bv[p], sum[i * TN4 + j]);
          } else {
            sum[i * TN4 + j] = fma(vec4<f32>(av[i][p]), bv[p], sum[i * TN4 + j]);
          }
        }
      }
    }
  }
  let c_start = (result_of(batch, segment) + row * dims.c.step_row + column) / 4u;
  // unroll
  for (var j = 0u; j < TN4; j++) {
    let b = bias_of(column + 4u * j);
    // unroll
    for (var i = 0u; i < TM; i++) {
      store4(c_start, rows, row, column, i, j, linear4(column + 4u * j, sum[i * TN4 + j], b));
    }
  }
  if (A_TRANSPOSED) {
    // unroll
    for (var i = 0u; i < TM4; i++) {
      if (column == 0u && row + 4u * i < dims.m) {
        row_sums4[(sums_of(batch, segment) + row) / 4u + i] = row_sum[i];
      }
    }
  }
}

@compute @workgroup_size(WIDTH)
fn epilogue(ids: Ids) {
  let i = invocation(ids);
  if (i < in_use(arrayLength(&c))) {
    if (GELU) {
      c[i] = finish(i, gelu(vec4<f32>(pre[i])).x);
    } else {
      c[i] = finish(i, c[i]);
    }
  }
}

@compute @workgroup_size(WIDTH)
fn epilogue4(ids: Ids) {
  let i = invocation(ids);
  if (i < in_use(arrayLength(&c4))) {
    if (GELU) {
      c4[i] = finish4(i, gelu(pre4[i]));
    } else {
      c4[i] = finish4(i, c4[i]);
    }
  }
}
