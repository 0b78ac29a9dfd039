/** A round brush: the voxels whose centres lie within its radius of the way that it went, measured in mm, so that a
ball is as round in the patient as the spacing allows. */
import type { Grid, Triple, VoxelPoint } from "./geometry";

/** 0 = z, 1 = y, 2 = x */
export type AxisZyx = 0 | 1 | 2;

export interface Brush {
  readonly radiusMm: number;
  /** A disc that stays within the slice across this axis; a ball without one. */
  readonly across: AxisZyx | null;
}

/** Visits every such voxel of the grid once. Points may lie between voxels; the voxel under `to` always belongs to it. */
export function brushedVoxels(
  grid: Grid,
  brush: Brush,
  from: VoxelPoint,
  to: VoxelPoint,
  visit: (offset: number) => void,
): void {
  const reach = reachedVoxels(grid, brush, from, to);
  const [rows, columns] = [grid.sizeZyx[1], grid.sizeZyx[2]];
  const under = to.map(Math.round);
  const near = distanceToWay(grid.spacingZyxMm, from, to);
  const limit = brush.radiusMm ** 2;
  for (let z = reach[0][0]; z <= reach[0][1]; z += 1) {
    for (let y = reach[1][0]; y <= reach[1][1]; y += 1) {
      for (let x = reach[2][0]; x <= reach[2][1]; x += 1) {
        const isUnder = z === under[0] && y === under[1] && x === under[2];
        if (isUnder || near(z, y, x) <= limit) visit((z * rows + y) * columns + x);
      }
    }
  }
}

type Range = readonly [number, number];

/** First and last index along each axis; nothing outside can be near enough. */
function reachedVoxels(grid: Grid, brush: Brush, from: VoxelPoint, to: VoxelPoint): readonly [Range, Range, Range] {
  const along = (axis: AxisZyx): Range => {
    const last = grid.sizeZyx[axis] - 1;
    const [low, high] = [Math.min(from[axis], to[axis]), Math.max(from[axis], to[axis])];
    if (brush.across === axis) return clipped(Math.round(to[axis]), Math.round(to[axis]), last);
    const reach = brush.radiusMm / grid.spacingZyxMm[axis];
    // The voxel under the brush is there even where the radius reaches no centre.
    const [lowest, highest] = [Math.ceil(low - reach), Math.floor(high + reach)];
    return clipped(Math.min(lowest, Math.round(to[axis])), Math.max(highest, Math.round(to[axis])), last);
  };
  return [along(0), along(1), along(2)];
}

const clipped = (low: number, high: number, last: number): Range => [Math.max(0, low), Math.min(last, high)];

/** The square of the distance in mm between a voxel and the nearest point of the straight way. */
function distanceToWay(
  spacingZyxMm: Triple,
  from: VoxelPoint,
  to: VoxelPoint,
): (z: number, y: number, x: number) => number {
  const [sz, sy, sx] = spacingZyxMm;
  const [wz, wy, wx] = [(to[0] - from[0]) * sz, (to[1] - from[1]) * sy, (to[2] - from[2]) * sx];
  const lengthSquared = wz * wz + wy * wy + wx * wx;
  return (z, y, x) => {
    const [dz, dy, dx] = [(z - from[0]) * sz, (y - from[1]) * sy, (x - from[2]) * sx];
    const share = lengthSquared === 0 ? 0 : Math.min(1, Math.max(0, (dz * wz + dy * wy + dx * wx) / lengthSquared));
    return (dz - share * wz) ** 2 + (dy - share * wy) ** 2 + (dx - share * wx) ** 2;
  };
}
