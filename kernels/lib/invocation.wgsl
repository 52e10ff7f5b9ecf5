// Library of every kernel: which invocation this is.
//
// A launch is a number of workgroups. An adapter takes at most so many along an axis, 65,535 as a rule, so they lie in rows along x,
// and the rows along y (lib/gpu/launch_bounds.ts); workgroups at the end of the last row may have nothing to do. Nothing else knows of x and
// y: an entry point whose invocations work apart takes Ids, and asks here for its number or its cell. One whose invocations work
// together takes Group and its place in it, its lane, apart: a barrier may stand behind conditions on what is the same for all of a
// workgroup alone, and compilers know that of Group.
//
// A software adapter gives each of its threads one run of a launch's workgroups, and the launch takes as long as the longest. One that has
// room for more active tokens than there are would leave the last thread idle. EVENLY: there is a row for each thread, and each row has
// an equal share of the workgroups with work, which come first in number, and of the others.
//
// uses lib/tokens.wgsl

const EVENLY: bool = false;
const WIDTH: u32 = 64u; // invocations of a workgroup, for whoever asks for its invocation or cell

struct Group {
  @builtin(workgroup_id) place: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
}

// The number of a workgroup.
fn group_number(group: Group) -> u32 {
  if (EVENLY) {
    let share = columns_in_use(group.grid.x);
    let idle = group.grid.x - share;
    let number = group.place.y * share + group.place.x;
    return select(group.grid.y * share + group.place.y * idle + group.place.x - share, number, group.place.x < share);
  } else {
    return group.place.y * group.grid.x + group.place.x;
  }
}

// How many there are, those with nothing to do included.
fn group_count(group: Group) -> u32 {
  return group.grid.x * group.grid.y;
}

// Column, row and layer of a workgroup, in layers of so many columns and rows of workgroups.
fn group_cell(group: Group, columns: u32, rows: u32) -> vec3<u32> {
  let number = group_number(group);
  let row = number / columns;
  return vec3<u32>(number - row * columns, row % rows, row / rows);
}

struct Ids {
  @builtin(workgroup_id) place: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) lane: u32, // in the workgroup
}

// The number of an invocation.
fn invocation(ids: Ids) -> u32 {
  return group_number(Group(ids.place, ids.grid)) * WIDTH + ids.lane;
}

struct Cell {
  column: u32, // may lie beyond the last one
  row: u32,    // likewise
}

// The cell of a table, each row of which takes workgroups of its own, or as many rows as fit one.
fn cell(ids: Ids, columns: u32) -> Cell {
  let at = group_cell(Group(ids.place, ids.grid), (columns + WIDTH - 1u) / WIDTH, 1u);
  let rows = max(1u, WIDTH / columns);
  let row = ids.lane / columns;
  let column = at.x * WIDTH + ids.lane - row * columns;
  return Cell(select(columns, column, row < rows), at.z * rows + row);
}

// Where segment i begins of n rows that are cut into segments of nearly one size: floor(i n / segments), which i n may be too large for.
fn segment_start(i: u32, n: u32, segments: u32) -> u32 {
  return i * (n / segments) + i * (n % segments) / segments;
}
