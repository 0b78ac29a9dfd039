import { describe, expect, it } from "vitest";

import type { Brush } from "./brush";
import { brushedVoxels } from "./brush";
import type { Grid, Triple, VoxelPoint } from "./geometry";
import { voxelPoint } from "./geometry";

const grid = (sizeZyx: Triple, spacingZyxMm: Triple): Grid => ({
  sizeZyx,
  spacingZyxMm,
  originLpsMm: [0, 0, 0],
  direction: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
});

const visited = (on: Grid, brush: Brush, from: VoxelPoint, to: VoxelPoint): number[] => {
  const offsets: number[] = [];
  brushedVoxels(on, brush, from, to, (offset) => offsets.push(offset));
  return offsets.sort((a, b) => a - b);
};

/** Every voxel of the grid, each held against many points of the way. */
const byBruteForce = (on: Grid, brush: Brush, from: VoxelPoint, to: VoxelPoint): number[] => {
  const [depth, rows, columns] = on.sizeZyx;
  const [sz, sy, sx] = on.spacingZyxMm;
  const still = from.every((value, axis) => value === to[axis]);
  const way = Array.from({ length: still ? 1 : 400 }, (_, step) => step / 399).map((share) =>
    voxelPoint(
      ...([0, 1, 2].map((i) => (from[i] ?? 0) + share * ((to[i] ?? 0) - (from[i] ?? 0))) as unknown as Triple),
    ),
  );
  const found: number[] = [];
  for (let z = 0; z < depth; z += 1)
    for (let y = 0; y < rows; y += 1)
      for (let x = 0; x < columns; x += 1) {
        if (brush.across !== null && [z, y, x][brush.across] !== Math.round(to[brush.across])) continue;
        const under = z === Math.round(to[0]) && y === Math.round(to[1]) && x === Math.round(to[2]);
        const near = way.some(
          (at) => Math.hypot((z - at[0]) * sz, (y - at[1]) * sy, (x - at[2]) * sx) <= brush.radiusMm,
        );
        if (under || near) found.push((z * rows + y) * columns + x);
      }
  return found;
};

const anisotropic = grid([9, 21, 24], [3.1, 0.83, 0.71]);
const ball = (radiusMm: number): Brush => ({ radiusMm, across: null });

describe("the brush", () => {
  it("paints the voxels whose centres lie within a ball of so many mm", () => {
    for (const radiusMm of [0.1, 1, 2.5, 3.15, 6.3]) {
      for (const at of [voxelPoint(4, 10, 12), voxelPoint(4.3, 9.6, 12.2)]) {
        expect(visited(anisotropic, ball(radiusMm), at, at)).toEqual(byBruteForce(anisotropic, ball(radiusMm), at, at));
      }
    }
    // 6.3 mm reach two slices of 3.1 mm up and down, and 7 rows of 0.83 mm.
    const reached = visited(anisotropic, ball(6.3), voxelPoint(4, 10, 12), voxelPoint(4, 10, 12));
    const [rows, columns] = [21, 24];
    expect(new Set(reached.map((offset) => Math.floor(offset / (rows * columns))))).toEqual(new Set([2, 3, 4, 5, 6]));
    expect(new Set(reached.map((offset) => Math.floor(offset / columns) % rows)).size).toBe(15);
  });

  it("leaves no gap on its way, however fast it goes", () => {
    const [from, to] = [voxelPoint(4, 3.2, 2.7), voxelPoint(4, 16.4, 20.1)];
    expect(visited(anisotropic, ball(2.2), from, to)).toEqual(byBruteForce(anisotropic, ball(2.2), from, to));
  });

  it("stays in its slice as a disc, whatever plane is looked at", () => {
    for (const across of [0, 1, 2] as const) {
      const disc = { radiusMm: 4.4, across };
      const at = voxelPoint(4, 10, 12);
      const found = visited(anisotropic, disc, at, at);
      expect(found).toEqual(byBruteForce(anisotropic, disc, at, at));
      expect(found.length).toBeLessThan(visited(anisotropic, ball(4.4), at, at).length);
    }
  });

  it("ends at the edges of the scan", () => {
    for (const at of [voxelPoint(0, 0, 0), voxelPoint(8, 20, 23), voxelPoint(0, -3, 11), voxelPoint(4, 10, 40)]) {
      expect(visited(anisotropic, ball(5), at, at)).toEqual(byBruteForce(anisotropic, ball(5), at, at));
    }
  });
});
