/** Shapes on two slices of a mask, carried over to the slices between them: each shape is the signed distance to its edge,
in mm, and what lies between is where the weighted mean of both says inside (Raya and Udupa, IEEE Trans Med Imaging 1990).
So all voxels that both shapes have are there, and none that neither has. */
import type { AxisZyx } from "./brush";
import type { Grid, Triple } from "./geometry";
import type { Strokes } from "./strokes";

export interface Filled {
  /** Pairs of slices that were drawn on and have others between them. */
  readonly pairs: number;
  readonly voxels: number;
}

/** What was painted and what was erased on slices of the view that was drawn on last, filled in between; one stroke. */
export function fillBetween(grid: Grid, strokes: Strokes): Filled {
  const drawn = strokes.drawnOn();
  const axis = drawn.at(-1)?.axis;
  if (axis === undefined) return { pairs: 0, voxels: 0 };
  const slices = [...new Set(drawn.filter((one) => one.axis === axis).map(({ index }) => index))].sort((a, b) => a - b);
  const turned = strokes.turned();
  const between = ([1, 0] as const).map((value) => {
    const offsets: number[] = [];
    const ofValue = turned.filter((offset) => strokes.voxels[offset] === value);
    voxelsBetween(grid, axis, slices, ofValue, (offset) => offsets.push(offset));
    return { value, offsets };
  });
  strokes.begin();
  for (const { value, offsets } of between) for (const offset of offsets) strokes.write(offset, value);
  const voxels = strokes.end();
  const pairs = slices.filter((slice, i) => i > 0 && slice - (slices[i - 1] ?? slice) > 1).length;
  return { pairs, voxels };
}

/** Visits the voxels on slices between two neighbours of `slices`, of shapes that are the voxels of these slices. */
export function voxelsBetween(
  grid: Grid,
  axis: AxisZyx,
  slices: readonly number[],
  voxels: Uint32Array,
  visit: (offset: number) => void,
): void {
  const layout = layoutOf(grid, axis);
  const shapes = shapesOn(layout, new Set(slices), voxels);
  slices.forEach((to, i) => {
    const from = slices[i - 1];
    if (from === undefined || to - from < 2) return;
    const [first, last] = [shapes.get(from) ?? [], shapes.get(to) ?? []];
    if (first.length === 0 || last.length === 0) return;
    const box = boxAround(layout, [...first, ...last]);
    const [near, far] = [signedDistances(box, first), signedDistances(box, last)];
    for (let slice = from + 1; slice < to; slice += 1) {
      const share = (slice - from) / (to - from);
      near.forEach((distance, place) => {
        if ((1 - share) * distance + share * (far[place] ?? 0) > 0) return;
        visit(slice * layout.stride + box.offsetOf(place));
      });
    }
  });
}

interface Layout {
  readonly count: number;
  /** Of the axis through the slices, and of rows and columns within one. */
  readonly stride: number;
  readonly rowStride: number;
  readonly columnStride: number;
  readonly rows: number;
  readonly columns: number;
  readonly rowMm: number;
  readonly columnMm: number;
}

const IN_PLANE: Record<AxisZyx, readonly [AxisZyx, AxisZyx]> = { 0: [1, 2], 1: [0, 2], 2: [0, 1] };

function layoutOf({ sizeZyx, spacingZyxMm }: Grid, axis: AxisZyx): Layout {
  const strides: Triple = [sizeZyx[1] * sizeZyx[2], sizeZyx[2], 1];
  const [row, column] = IN_PLANE[axis];
  return {
    count: sizeZyx[axis],
    stride: strides[axis],
    rowStride: strides[row],
    columnStride: strides[column],
    rows: sizeZyx[row],
    columns: sizeZyx[column],
    rowMm: spacingZyxMm[row],
    columnMm: spacingZyxMm[column],
  };
}

type Place = readonly [row: number, column: number];

function shapesOn(layout: Layout, slices: ReadonlySet<number>, voxels: Uint32Array): Map<number, Place[]> {
  const shapes = new Map<number, Place[]>([...slices].map((slice) => [slice, []]));
  for (const offset of voxels) {
    const shape = shapes.get(Math.floor(offset / layout.stride) % layout.count);
    shape?.push([
      Math.floor(offset / layout.rowStride) % layout.rows,
      Math.floor(offset / layout.columnStride) % layout.columns,
    ]);
  }
  return shapes;
}

interface Box {
  readonly rows: number;
  readonly columns: number;
  readonly rowMm: number;
  readonly columnMm: number;
  placeOf(place: Place): number;
  /** Within a slice of the grid. */
  offsetOf(place: number): number;
}

/** With one row and one column more on every side, so that each shape has an outside. */
function boxAround(layout: Layout, places: readonly Place[]): Box {
  const limits = [0, 1].map((axis) => {
    const [low, high] = places.reduce(
      ([lowest, highest], place) => [Math.min(lowest, place[axis] ?? 0), Math.max(highest, place[axis] ?? 0)],
      [Infinity, -Infinity],
    );
    return { first: low - 1, size: high - low + 3 };
  });
  const [row = { first: 0, size: 0 }, column = { first: 0, size: 0 }] = limits;
  return {
    rows: row.size,
    columns: column.size,
    rowMm: layout.rowMm,
    columnMm: layout.columnMm,
    placeOf: (place) => (place[0] - row.first) * column.size + place[1] - column.first,
    offsetOf: (place) =>
      (row.first + Math.floor(place / column.size)) * layout.rowStride +
      (column.first + (place % column.size)) * layout.columnStride,
  };
}

/** To the nearest voxel of the other side, in mm; negative inside. */
export function signedDistances(box: Box, shape: readonly Place[]): Float64Array {
  const inside = new Uint8Array(box.rows * box.columns);
  for (const place of shape) inside[box.placeOf(place)] = 1;
  const toInside = squaredDistances(box, inside, 1);
  const toOutside = squaredDistances(box, inside, 0);
  return toInside.map((squared, i) => (inside[i] === 1 ? -Math.sqrt(toOutside[i] ?? 0) : Math.sqrt(squared)));
}

/** Exact, along columns first and then along rows (Felzenszwalb and Huttenlocher, Theory of Computing 2012). */
function squaredDistances(box: Box, marked: Uint8Array, wanted: 0 | 1): Float64Array {
  const { rows, columns } = box;
  const found = Float64Array.from(marked, (value) => (value === wanted ? 0 : Infinity));
  for (let x = 0; x < columns; x += 1) {
    const column = Float64Array.from({ length: rows }, (_, y) => found[y * columns + x] ?? 0);
    lowered(column, box.rowMm).forEach((squared, y) => (found[y * columns + x] = squared));
  }
  for (let y = 0; y < rows; y += 1) {
    found.set(lowered(found.slice(y * columns, (y + 1) * columns), box.columnMm), y * columns);
  }
  return found;
}

/** At each place the least of all heights plus the square of the way there: the lower envelope of parabolas. */
function lowered(heights: Float64Array, stepMm: number): Float64Array {
  const [lowest, starts]: [number[], number[]] = [[], []];
  heights.forEach((height, at) => {
    if (height === Infinity) return;
    let start = -Infinity;
    while (lowest.length > 0) {
      const other = lowest.at(-1) ?? 0;
      const rise = (height - (heights[other] ?? 0)) / stepMm ** 2;
      start = (rise + at ** 2 - other ** 2) / (2 * (at - other));
      if (start > (starts.at(-1) ?? 0)) break;
      lowest.pop();
      starts.pop();
      start = -Infinity;
    }
    lowest.push(at);
    starts.push(start);
  });
  let reached = 0;
  return heights.map((_, at) => {
    while ((starts[reached + 1] ?? Infinity) < at) reached += 1;
    const nearest = lowest[reached];
    return nearest === undefined ? Infinity : (heights[nearest] ?? 0) + ((at - nearest) * stepMm) ** 2;
  });
}
