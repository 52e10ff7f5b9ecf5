// Library of every kernel: which invocation this is.
//
// A launch is a number of workgroups. An adapter takes at most so many along an axis, 65,535 as a rule, so they lie in rows along x,
// and the rows along y (lib/gpu/grid.ts); workgroups at the end of the last row may have nothing to do. Nothing else knows of x and
// y: an entry point takes Ids, and asks here for its number or its cell.

const WIDTH: u32 = 64u; // invocations of a workgroup, for whoever asks for its invocation or cell

struct Ids {
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32, // in the workgroup
}

// The number of the workgroup. It is the same for all of its invocations, as barriers demand of a condition.
fn workgroup_number(ids: Ids) -> u32 {
  return ids.group.x + ids.group.y * ids.groups.x;
}

// How many there are, those with nothing to do included.
fn workgroup_count(ids: Ids) -> u32 {
  return ids.groups.x * ids.groups.y;
}

// The number of the invocation.
fn invocation(ids: Ids) -> u32 {
  return workgroup_number(ids) * WIDTH + ids.lane;
}

struct Cell {
  column: u32, // may lie beyond the last one
  row: u32,    // likewise
}

// The cell of a table, each row of which takes workgroups of its own.
fn cell(ids: Ids, columns: u32) -> Cell {
  let at = workgroup_cell(ids, (columns + WIDTH - 1u) / WIDTH, 1u);
  return Cell(at.x * WIDTH + ids.lane, at.z);
}

// Column, row and layer of the workgroup, in layers of so many columns and rows of workgroups.
fn workgroup_cell(ids: Ids, columns: u32, rows: u32) -> vec3<u32> {
  let number = workgroup_number(ids);
  let row = number / columns;
  return vec3<u32>(number - row * columns, row % rows, row / rows);
}

// Where part i begins of n things that are cut into parts of nearly one size: floor(i n / parts), which i n may be too large for.
fn part_start(i: u32, n: u32, parts: u32) -> u32 {
  return i * (n / parts) + i * (n % parts) / parts;
}
