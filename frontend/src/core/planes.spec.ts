import { describe, expect, it } from "vitest";

import type { Direction, Grid, Triple } from "./geometry";
import { voxelOffset, voxelPoint, voxelToWorld } from "./geometry";
import { extractSlice, planeGeometry, PLANES, planeToVoxel, voxelToPlane } from "./planes";

/** All 48 ways in which voxel axes can lie along the patient's axes. */
function signedPermutations(): Direction[] {
  const units: Triple[] = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ];
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  const directions: Direction[] = [];
  for (const order of orders) {
    for (let signs = 0; signs < 8; signs += 1) {
      const rows = order.map((axis, row) => {
        const sign = signs & (1 << row) ? -1 : 1;
        return (units[axis] ?? [0, 0, 0]).map((value) => value * sign) as unknown as Triple;
      });
      directions.push(rows as unknown as Direction);
    }
  }
  return directions;
}

const gridWith = (direction: Direction): Grid => ({
  sizeZyx: [3, 4, 5],
  spacingZyxMm: [2.5, 0.8, 0.7],
  originLpsMm: [0, 0, 0],
  direction,
});

function numbered(grid: Grid): Int16Array {
  const [depth, rows, columns] = grid.sizeZyx;
  return Int16Array.from({ length: depth * rows * columns }, (_, index) => index * 7 - 100);
}

describe("planes of any scan", () => {
  const directions = signedPermutations();

  it("covers every orientation", () => {
    expect(new Set(directions.map((direction) => JSON.stringify(direction))).size).toBe(48);
  });

  it("shows the voxel that belongs at each pixel, in every orientation and plane", () => {
    for (const direction of directions) {
      const grid = gridWith(direction);
      const voxels = numbered(grid);
      for (const plane of PLANES) {
        const geometry = planeGeometry(grid, plane);
        for (let slice = 0; slice < geometry.slices; slice += 1) {
          const cut = extractSlice(voxels, grid, geometry, slice);
          expect(cut.length).toBe(geometry.rows * geometry.columns);
          for (let row = 0; row < geometry.rows; row += 1) {
            for (let column = 0; column < geometry.columns; column += 1) {
              const voxel = planeToVoxel(geometry, { column, row, slice });
              expect(cut[row * geometry.columns + column]).toBe(voxels[voxelOffset(grid, voxel)]);
            }
          }
        }
      }
    }
  });

  it("follows the radiological convention, in every orientation", () => {
    const expected = {
      axial: { right: [1, 0, 0], down: [0, 1, 0], through: [0, 0, -1] },
      coronal: { right: [1, 0, 0], down: [0, 0, -1], through: [0, 1, 0] },
      sagittal: { right: [0, 1, 0], down: [0, 0, -1], through: [1, 0, 0] },
    };
    for (const direction of directions) {
      const grid = gridWith(direction);
      for (const plane of PLANES) {
        const geometry = planeGeometry(grid, plane);
        const start = voxelToWorld(grid, planeToVoxel(geometry, { column: 0, row: 0, slice: 0 }));
        const step = (point: { column: number; row: number; slice: number }): number[] => {
          const end = voxelToWorld(grid, planeToVoxel(geometry, point));
          return end.map((value, axis) => Math.sign(Math.round((value - (start[axis] ?? 0)) * 1e6)) + 0);
        };
        expect(step({ column: 1, row: 0, slice: 0 })).toEqual(expected[plane].right);
        expect(step({ column: 0, row: 1, slice: 0 })).toEqual(expected[plane].down);
        expect(step({ column: 0, row: 0, slice: 1 })).toEqual(expected[plane].through);
      }
    }
  });

  it("has the spacing of the axis it walks along", () => {
    for (const direction of directions) {
      const grid = gridWith(direction);
      for (const plane of PLANES) {
        const geometry = planeGeometry(grid, plane);
        const start = voxelToWorld(grid, planeToVoxel(geometry, { column: 0, row: 0, slice: 0 }));
        const distance = (point: { column: number; row: number; slice: number }): number =>
          Math.hypot(
            ...voxelToWorld(grid, planeToVoxel(geometry, point)).map((value, axis) => value - (start[axis] ?? 0)),
          );
        expect(distance({ column: 1, row: 0, slice: 0 })).toBeCloseTo(geometry.columnSpacingMm);
        expect(distance({ column: 0, row: 1, slice: 0 })).toBeCloseTo(geometry.rowSpacingMm);
        expect(distance({ column: 0, row: 0, slice: 1 })).toBeCloseTo(geometry.sliceSpacingMm);
      }
    }
  });

  it("goes from voxel to plane and back", () => {
    for (const direction of directions) {
      const geometry = planeGeometry(gridWith(direction), "coronal");
      expect(planeToVoxel(geometry, voxelToPlane(geometry, voxelPoint(2, 1, 3)))).toEqual([2, 1, 3]);
    }
  });

  it("names the planes of an oblique scan after the nearest axes", () => {
    const angle = 0.5;
    const tilted: Direction = [
      [1, 0, 0],
      [0, Math.cos(angle), -Math.sin(angle)],
      [0, Math.sin(angle), Math.cos(angle)],
    ];
    const geometry = planeGeometry(gridWith(tilted), "axial");
    expect([geometry.right.axisZyx, geometry.down.axisZyx, geometry.through.axisZyx]).toEqual([2, 1, 0]);
  });

  it("does not copy the axial slices of an upright scan", () => {
    const upright: Direction = [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ];
    const grid = gridWith(upright);
    const voxels = numbered(grid);
    const geometry = planeGeometry(grid, "axial");
    expect(extractSlice(voxels, grid, geometry, 0).buffer).toBe(voxels.buffer);
    // The head comes first.
    expect(extractSlice(voxels, grid, geometry, 0)[0]).toBe(voxels[2 * 4 * 5]);
  });
});
