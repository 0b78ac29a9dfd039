/** The three standard planes, cut from a volume whose voxel axes may point anywhere.

Screens follow the radiological convention: the patient's right on the left of axial and coronal images,
anterior on the left of sagittal images, the head on top; slices run from head to feet, from anterior to
posterior and from right to left. Oblique scans are shown along their own axes, named after the nearest
anatomical ones. */
import type { Direction, Grid, VoxelPoint } from "./geometry";
import { axisDirection, voxelPoint } from "./geometry";

export type Plane = "axial" | "coronal" | "sagittal";
export const PLANES: readonly Plane[] = ["axial", "coronal", "sagittal"];

export type Voxels = Int16Array | Uint8Array;

/** A walk along one voxel axis: 0 = z, 1 = y, 2 = x, forwards or backwards. */
interface AxisWalk {
  readonly axisZyx: 0 | 1 | 2;
  readonly step: 1 | -1;
}

export interface PlaneGeometry {
  readonly plane: Plane;
  readonly columns: number;
  readonly rows: number;
  readonly slices: number;
  readonly columnSpacingMm: number;
  readonly rowSpacingMm: number;
  readonly sliceSpacingMm: number;
  readonly right: AxisWalk;
  readonly down: AxisWalk;
  readonly through: AxisWalk;
  readonly labels: { readonly left: string; readonly right: string; readonly top: string; readonly bottom: string };
}

/** Column and row are counted from the centre of the first pixel. */
export interface PlanePoint {
  readonly column: number;
  readonly row: number;
  readonly slice: number;
}

type Anatomical = "L" | "P" | "S";
interface PlaneConvention {
  readonly right: readonly [Anatomical, 1 | -1];
  readonly down: readonly [Anatomical, 1 | -1];
  readonly through: readonly [Anatomical, 1 | -1];
  readonly labels: PlaneGeometry["labels"];
}

const CONVENTIONS: Record<Plane, PlaneConvention> = {
  axial: {
    right: ["L", 1],
    down: ["P", 1],
    through: ["S", -1],
    labels: { left: "R", right: "L", top: "A", bottom: "P" },
  },
  coronal: {
    right: ["L", 1],
    down: ["S", -1],
    through: ["P", 1],
    labels: { left: "R", right: "L", top: "H", bottom: "F" },
  },
  sagittal: {
    right: ["P", 1],
    down: ["S", -1],
    through: ["L", 1],
    labels: { left: "A", right: "P", top: "H", bottom: "F" },
  },
};
const COMPONENT: Record<Anatomical, 0 | 1 | 2> = { L: 0, P: 1, S: 2 };
const PERMUTATIONS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const;

/** Which voxel axis (x, y, z) runs closest to L, P and S: the assignment with the largest total alignment. */
function anatomicalAxes(direction: Direction): Record<Anatomical, { axisXyz: 0 | 1 | 2; sign: 1 | -1 }> {
  const alignment = (permutation: readonly [0 | 1 | 2, 0 | 1 | 2, 0 | 1 | 2]): number =>
    permutation.reduce<number>((sum, axis, component) => {
      const along = axisDirection(direction, axis)[component as 0 | 1 | 2];
      return sum + Math.abs(along);
    }, 0);
  const best = PERMUTATIONS.reduce((a, b) => (alignment(b) > alignment(a) + 1e-9 ? b : a));
  const walk = (name: Anatomical): { axisXyz: 0 | 1 | 2; sign: 1 | -1 } => {
    const axisXyz = best[COMPONENT[name]];
    return { axisXyz, sign: axisDirection(direction, axisXyz)[COMPONENT[name]] < 0 ? -1 : 1 };
  };
  return { L: walk("L"), P: walk("P"), S: walk("S") };
}

export function planeGeometry(grid: Grid, plane: Plane): PlaneGeometry {
  const axes = anatomicalAxes(grid.direction);
  const convention = CONVENTIONS[plane];
  const walk = ([name, wanted]: readonly [Anatomical, 1 | -1]): AxisWalk => ({
    axisZyx: (2 - axes[name].axisXyz) as 0 | 1 | 2,
    step: axes[name].sign === wanted ? 1 : -1,
  });
  const [right, down, through] = [walk(convention.right), walk(convention.down), walk(convention.through)];
  return {
    plane,
    columns: grid.sizeZyx[right.axisZyx],
    rows: grid.sizeZyx[down.axisZyx],
    slices: grid.sizeZyx[through.axisZyx],
    columnSpacingMm: grid.spacingZyxMm[right.axisZyx],
    rowSpacingMm: grid.spacingZyxMm[down.axisZyx],
    sliceSpacingMm: grid.spacingZyxMm[through.axisZyx],
    right,
    down,
    through,
    labels: convention.labels,
  };
}

const along = (walk: AxisWalk, count: number, index: number): number => (walk.step === 1 ? index : count - 1 - index);

export function voxelToPlane(geometry: PlaneGeometry, point: VoxelPoint): PlanePoint {
  return {
    column: along(geometry.right, geometry.columns, point[geometry.right.axisZyx]),
    row: along(geometry.down, geometry.rows, point[geometry.down.axisZyx]),
    slice: along(geometry.through, geometry.slices, point[geometry.through.axisZyx]),
  };
}

export function planeToVoxel(geometry: PlaneGeometry, point: PlanePoint): VoxelPoint {
  const zyx: [number, number, number] = [0, 0, 0];
  zyx[geometry.right.axisZyx] = along(geometry.right, geometry.columns, point.column);
  zyx[geometry.down.axisZyx] = along(geometry.down, geometry.rows, point.row);
  zyx[geometry.through.axisZyx] = along(geometry.through, geometry.slices, point.slice);
  return voxelPoint(...zyx);
}

/** One slice, row by row. An axial slice of an upright scan is a view into the volume, not a copy. */
export function extractSlice<T extends Voxels>(voxels: T, grid: Grid, geometry: PlaneGeometry, slice: number): T {
  const { right, down, columns, rows } = geometry;
  const strides = [grid.sizeZyx[1] * grid.sizeZyx[2], grid.sizeZyx[2], 1] as const;
  const first = planeToVoxel(geometry, { column: 0, row: 0, slice });
  const start = first[0] * strides[0] + first[1] * strides[1] + first[2];
  const columnStep = right.step * strides[right.axisZyx];
  const rowStep = down.step * strides[down.axisZyx];
  if (columnStep === 1 && rowStep === columns) return voxels.subarray(start, start + rows * columns) as T;
  const cut = (voxels instanceof Int16Array ? new Int16Array(rows * columns) : new Uint8Array(rows * columns)) as T;
  for (let row = 0, target = 0; row < rows; row += 1) {
    for (let column = 0, source = start + row * rowStep; column < columns; column += 1, source += columnStep) {
      cut[target] = voxels[source] ?? 0;
      target += 1;
    }
  }
  return cut;
}
