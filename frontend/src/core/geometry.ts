/** Places in a scan. A voxel point is (z, y, x), a world point is (x, y, z) in LPS millimetres. */

declare const voxel: unique symbol;
declare const world: unique symbol;

export type Triple = readonly [number, number, number];
export type VoxelPoint = Triple & { readonly [voxel]: true };
export type WorldPoint = Triple & { readonly [world]: true };
/** Row-major; its columns are the directions of the voxel axes x, y, z. */
export type Direction = readonly [Triple, Triple, Triple];

export interface Grid {
  readonly sizeZyx: Triple;
  readonly spacingZyxMm: Triple;
  readonly originLpsMm: Triple;
  readonly direction: Direction;
}

export const voxelPoint = (z: number, y: number, x: number): VoxelPoint => [z, y, x] as unknown as VoxelPoint;
export const worldPoint = (x: number, y: number, z: number): WorldPoint => [x, y, z] as unknown as WorldPoint;

const dot = (a: Triple, b: Triple): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

export function voxelToWorld(grid: Grid, [z, y, x]: VoxelPoint): WorldPoint {
  const [dz, dy, dx] = grid.spacingZyxMm;
  const stepMm: Triple = [x * dx, y * dy, z * dz];
  const [rowX, rowY, rowZ] = grid.direction;
  const [originX, originY, originZ] = grid.originLpsMm;
  return worldPoint(originX + dot(rowX, stepMm), originY + dot(rowY, stepMm), originZ + dot(rowZ, stepMm));
}

/** The direction matrix is orthonormal, so its inverse is its transpose. */
export function worldToVoxel(grid: Grid, [x, y, z]: WorldPoint): VoxelPoint {
  const [originX, originY, originZ] = grid.originLpsMm;
  const offsetMm: Triple = [x - originX, y - originY, z - originZ];
  const [dz, dy, dx] = grid.spacingZyxMm;
  return voxelPoint(
    dot(axisDirection(grid.direction, 2), offsetMm) / dz,
    dot(axisDirection(grid.direction, 1), offsetMm) / dy,
    dot(axisDirection(grid.direction, 0), offsetMm) / dx,
  );
}

/** Unit vector in LPS of voxel axis 0 = x, 1 = y, 2 = z. */
export function axisDirection(direction: Direction, axisXyz: 0 | 1 | 2): Triple {
  return [direction[0][axisXyz], direction[1][axisXyz], direction[2][axisXyz]];
}

/** The voxel that holds the point, or null when the point lies outside the scan. */
export function nearestVoxel(grid: Grid, point: VoxelPoint): VoxelPoint | null {
  const [z, y, x] = [Math.round(point[0]), Math.round(point[1]), Math.round(point[2])];
  const [depth, rows, columns] = grid.sizeZyx;
  const inside = z >= 0 && y >= 0 && x >= 0 && z < depth && y < rows && x < columns;
  return inside ? voxelPoint(z, y, x) : null;
}

export function centreVoxel(grid: Grid): VoxelPoint {
  const [depth, rows, columns] = grid.sizeZyx;
  return voxelPoint(Math.floor(depth / 2), Math.floor(rows / 2), Math.floor(columns / 2));
}

export const voxelOffset = (grid: Grid, [z, y, x]: VoxelPoint): number =>
  (z * grid.sizeZyx[1] + y) * grid.sizeZyx[2] + x;

/** "12.5,-40,812.3" as it stands in an address or an attribute; null when it is not three numbers. */
export function parseWorldPoint(text: string | null | undefined): WorldPoint | null {
  if (text === null || text === undefined) return null;
  const parts = text.replace(/[[\]\s]/g, "").split(",");
  const [x, y, z] = parts.map((part) => (part === "" ? NaN : Number(part)));
  if (parts.length !== 3 || x === undefined || y === undefined || z === undefined) return null;
  return [x, y, z].every(Number.isFinite) ? worldPoint(x, y, z) : null;
}
