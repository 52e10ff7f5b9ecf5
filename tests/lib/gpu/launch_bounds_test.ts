/** @file Where workgroups lie, that every kernel numbers them by one rule, and what cannot be launched. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Gpu, GpuError } from "../../../lib/gpu/device.ts";
import { layOut, MOST_TURNS, mostWorkgroups } from "../../../lib/gpu/launch_bounds.ts";
import { kernelOf } from "../../../lib/gpu/kernel.ts";
import { Plan } from "../../../lib/gpu/plan.ts";
import { createTensor, read, write } from "../../../lib/tensor/tensor.ts";
import { gpuTest, UNFOLDED } from "../../support/gpu.ts";
import { placed } from "../../support/ops.ts";

const KERNELS = new URL("../../../kernels/", import.meta.url);
const ADAPTER = { x: 65_535, y: 65_535 };

Deno.test("layOut() takes rows no longer than the adapter allows, and leaves less than a row over", () => {
  for (const workgroups of [1, 2, 65_534, 65_535, 65_536, 131_071, 1_000_003, 2 ** 26]) {
    const [x, y] = layOut(workgroups, ADAPTER);
    assert(x >= 1 && x <= ADAPTER.x && y <= ADAPTER.y, `${workgroups} as ${x} x ${y}`);
    assert(x * y >= workgroups && x * y - workgroups < y, `${workgroups} as ${x} x ${y}`);
  }
  assertEquals(layOut(65_535, ADAPTER), [65_535, 1]);
  assertEquals(layOut(65_536, ADAPTER), [32_768, 2]);
  assertEquals(layOut(8, { x: 3, y: 65_535 }), [3, 3]);
  assertEquals(layOut(8, ADAPTER, 2), [4, 2]);
  assertEquals(layOut(9, ADAPTER, 2), [5, 2]);
  assertEquals([layOut(3, ADAPTER, 64), layOut(1, ADAPTER, 64)], [[1, 3], [1, 1]]);
  assertEquals(layOut(8, { x: 3, y: 65_535 }, 2), [3, 3]);
  assertEquals([mostWorkgroups(ADAPTER), mostWorkgroups({ x: 3, y: 5 })], [2 ** 26, 15]);
});

/** Entry points of a file: workgroup size, name, parameters, body. */
function entryPoints(source: string): { size: string; name: string; parameters: string; body: string }[] {
  const pattern = /@compute @workgroup_size\(([^)]*)\)\s*fn (\w+)\(([^{]*)\) \{\n([^]*?)\n\}/g;
  return [...source.matchAll(pattern)].map(([, size, name, parameters, body]) => {
    return { size: size!, name: name!, parameters: parameters!, body: body! };
  });
}

Deno.test("every entry point of every kernel numbers its invocations by lib/invocation.wgsl, and knows of no axis of the grid", async () => {
  let found = 0;
  for await (const file of Deno.readDir(KERNELS)) {
    if (!file.isFile) continue;
    const source = await Deno.readTextFile(new URL(file.name, KERNELS));
    const entries = entryPoints(source);
    assertEquals(entries.length, source.match(/@compute/g)!.length, file.name);
    assertEquals(
      source.match(/\bids\.(?!lane\b)\w+|\bgroup\.\w+/g),
      null,
      `${file.name} reads of ids more than the place in the workgroup`,
    );
    for (const { size, name, parameters, body } of entries) {
      const what = `${file.name}, ${name}`;
      // a compiler takes all of a struct for what differs most in it: only Group is the same in all of a workgroup
      const lane = ", @builtin(local_invocation_index) lane: u32";
      assertEquals(
        parameters.replace(/, @builtin\(subgroup_invocation_id\) rank: u32$/, "").replace(lane, ""),
        parameters.includes(lane) ? "group: Group" : "ids: Ids",
        what,
      );
      if (/workgroupBarrier|workgroupUniformLoad|subgroup|row_means|workgroup_sum/.test(body)) {
        assertEquals(/\b(invocation|cell)\(ids\b/.test(body), false, `${what}: compilers take what follows from Ids for different`);
      }
      // what numbers invocations counts WIDTH of them in a workgroup
      if (/\b(invocation|cell|\w+_of)\(ids\b/.test(body)) assertEquals(size, "WIDTH", what);
      found++;
    }
  }
  assert(found >= 70, `${found} entry points`);
});

/** Each invocation counts how often its number occurs. */
const COUNT = kernelOf(
  "count",
  `
// uses lib/invocation.wgsl
struct Dims { columns: u32, rows: u32, }
@group(0) @binding(0) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(1) var<uniform> dims: Dims;
@compute @workgroup_size(WIDTH) fn line(ids: Ids) {
  let i = invocation(ids);
  if (i < dims.columns * dims.rows) { atomicAdd(&counts[i], 1u); }
}
@compute @workgroup_size(WIDTH) fn table(ids: Ids) {
  let at = cell(ids, dims.columns);
  if (at.column < dims.columns && at.row < dims.rows) { atomicAdd(&counts[at.row * dims.columns + at.column], 1u); }
}
@compute @workgroup_size(1) fn layers(group: Group) {
  let at = group_cell(group, dims.columns / 3u, 3u);
  let i = (at.z * 3u + at.y) * (dims.columns / 3u) + at.x;
  if (i < dims.columns * dims.rows) { atomicAdd(&counts[i], 1u); }
}`,
);

for (const [how, options] of Object.entries({ "rows of 3": {}, "the adapter's rows": UNFOLDED })) {
  gpuTest(`kernels/lib/invocation.wgsl gives every number and every cell once, in ${how}`, async (gpu) => {
    const [columns, rows] = [150, 517];
    const run = async (entry: string, workgroups: number) => {
      const counts = placed(gpu, "counts", [rows, columns], new Float32Array(rows * columns));
      const dispatch = { kernel: COUNT, entry, label: "counts", constants: {}, dims: { columns, rows } };
      new Plan(gpu, [{ ...dispatch, bindings: { counts: counts.storage }, workgroups }]).run();
      const found = new Uint32Array((await read(gpu, counts)).buffer);
      assert(found.every((count) => count === 1), `${entry}: ${found.filter((count) => count !== 1).length} are off`);
    };
    await run("line", Math.ceil(columns * rows / 64));
    await run("table", Math.ceil(columns / 64) * rows);
    await run("layers", columns * rows);
  }, options);
}

/** Each workgroup says in which row of the launch it lies. */
const OWNER = kernelOf(
  "owner",
  `
// uses lib/invocation.wgsl, lib/tokens.wgsl
@group(0) @binding(0) var<storage, read_write> owner: array<u32>;
@compute @workgroup_size(1) fn main(group: Group) {
  owner[group_number(group)] = select(group.grid.y, group.place.y, fits());
}`,
);

for (const workgroupsInRow of [500, 334, 250]) {
  gpuTest(`EVENLY gives every number once, and each row of ${workgroupsInRow} as many of those with work`, async (gpu) => {
    const workgroups = 1000, rows = Math.ceil(workgroups / workgroupsInRow), capacity = 8000;
    for (const count of [0, 1, 7, 3120, 7999, 8000]) {
      const owner = createTensor(gpu, "owner", [rows * Math.ceil(workgroups / rows)], "u32");
      write(gpu, owner, new Uint32Array(owner.shape[0]!).fill(rows));
      const tokens = createTensor(gpu, "tokens", [8], "u32");
      write(gpu, tokens, Uint32Array.of(count, capacity, 1, 0, 0, 0, 0, 0));
      const dispatch = { kernel: OWNER, entry: "main", label: "owner", constants: { ACTIVE: true, EVENLY: true } };
      new Plan(gpu, [{ ...dispatch, bindings: { owner: owner.storage, tokens: tokens.storage }, workgroups }]).run();
      const found = [...new Uint32Array((await read(gpu, owner)).buffer)];
      assert(found.every((row) => row < rows), `${count} tokens: a number has no workgroup`);
      const withWork = found.slice(0, Math.ceil(workgroups * count / capacity));
      const most = Math.max(...Array.from({ length: rows }, (_, row) => withWork.filter((of) => of === row).length));
      assert(most <= Math.ceil(withWork.length / rows) + 1, `${count} tokens: a row has ${most} of ${withWork.length} with work`);
    }
  }, { workgroupsInRow });
}

const FILL = kernelOf(
  "fill",
  `
// uses lib/invocation.wgsl
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(WIDTH) fn main(ids: Ids) { y[invocation(ids)] = 1.0; }`,
);
const launch = { kernel: FILL, entry: "main", label: "layer 7", constants: {}, workgroups: 1 };
const y = { label: "features", bytes: 1024 };

/** What a plan of one launch is refused with, before anything is compiled or allocated. */
function refusal(gpu: Gpu, changes: Partial<ConstructorParameters<typeof Plan>[1][number]>): string {
  const before = gpu.memory.buffers;
  const { message } = assertThrows(() => new Plan(gpu, [{ ...launch, bindings: { y }, ...changes }]), GpuError);
  assertEquals(gpu.memory.buffers, before);
  gpu.check();
  assertEquals(message.includes("driver"), false, message);
  return message;
}

gpuTest("Plan refuses a launch of no workgroup, of a part of one, or of too many, with kernel and sizes", (gpu) => {
  for (const workgroups of [0, 0.5, -1, NaN, 2 ** 26 + 1, 2 ** 40]) {
    assertEquals(
      refusal(gpu, { workgroups }),
      `Cannot launch kernel fill.main for "layer 7" (elements: y 256): it takes ${workgroups} workgroups, and may take 1 to 67108864. ` +
        "Use a smaller data.batch_size",
    );
  }
  return Promise.resolve();
}, UNFOLDED);

gpuTest("Plan refuses loops of more turns than a software adapter takes, and none on a GPU", (gpu) => {
  const message = refusal(gpu, { turns: 70_000 });
  assert(/its loops take 70000 turns, and the adapter \(.+\) ends them after 65535/.test(message), message);
  new Plan(gpu, [{ ...launch, bindings: { y }, turns: 65_535 }]);
  return Promise.resolve();
}, { mostTurns: 65_535 });

gpuTest("MOST_TURNS turns are taken by the adapter that the tests run on", async (gpu) => {
  const source = `
// uses lib/invocation.wgsl
struct Dims { turns: u32, }
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
@group(0) @binding(1) var<uniform> dims: Dims;
@compute @workgroup_size(WIDTH) fn main(ids: Ids) {
  var x = ids.lane;
  for (var i = ids.lane; i < dims.turns + ids.lane; i++) { x = x * 1664525u + i; }
  y[ids.lane] = x;
}`;
  const found = placed(gpu, "y", [64], new Float32Array(64));
  const dispatch = { kernel: kernelOf("turns", source), entry: "main", label: "y", constants: {}, dims: { turns: MOST_TURNS } };
  new Plan(gpu, [{ ...dispatch, bindings: { y: found.storage }, workgroups: 1, turns: MOST_TURNS }]).run();
  const expected = Uint32Array.from({ length: 64 }, (_, lane) => {
    let x = lane;
    for (let i = lane; i < MOST_TURNS + lane; i++) x = Math.imul(x, 1664525) + i | 0;
    return x;
  });
  assertEquals(new Uint32Array((await read(gpu, found)).buffer), expected);
});

gpuTest("Plan refuses what 32 bits do not number: the elements of a tensor of which a range is bound", (gpu) => {
  const whole = { label: "tokens", bytes: 4 * (2 ** 32 + 64) };
  const range = { label: "tokens", bytes: 256, within: { whole, offset: 0 } };
  assertEquals(
    refusal(gpu, { bindings: { y: range } }),
    'Cannot bind "tokens" to kernel fill.main: 32 bits do not number its 4294967360 elements. Use a smaller data.batch_size',
  );
  return Promise.resolve();
});

gpuTest("Plan refuses a tensor that is empty, or too large to be bound, with its name and its kernel", (gpu) => {
  assertEquals(
    refusal(gpu, { bindings: { y: { label: "tokens", bytes: 0 } } }),
    'Cannot bind "tokens" to kernel fill.main: it is empty',
  );
  const most = gpu.limits.maxStorageBufferBindingSize;
  const message = refusal(gpu, { bindings: { y: { label: "tokens", bytes: most + 4 } } });
  assert(message.startsWith('Cannot bind "tokens" (') && message.includes("to kernel fill.main"), message);
  return Promise.resolve();
});
