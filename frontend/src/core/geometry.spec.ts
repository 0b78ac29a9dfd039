import { describe, expect, it } from "vitest";

import type { Direction, Grid } from "./geometry";
import { nearestVoxel, parseWorldPoint, voxelPoint, voxelToWorld, worldPoint, worldToVoxel } from "./geometry";

const identity: Direction = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];
const angle = 0.3;
const oblique: Direction = [
  [Math.cos(angle), -Math.sin(angle), 0],
  [Math.sin(angle), Math.cos(angle), 0],
  [0, 0, 1],
];
const grid = (direction: Direction): Grid => ({
  sizeZyx: [4, 5, 6],
  spacingZyxMm: [2.5, 0.8, 0.7],
  originLpsMm: [-10, 20, 300],
  direction,
});

describe("world and voxel", () => {
  it("puts voxel zero at the origin and walks with the spacing of each axis", () => {
    expect([...voxelToWorld(grid(identity), voxelPoint(0, 0, 0))]).toEqual([-10, 20, 300]);
    const [x, y, z] = voxelToWorld(grid(identity), voxelPoint(2, 3, 4));
    expect(x).toBeCloseTo(-10 + 4 * 0.7);
    expect(y).toBeCloseTo(20 + 3 * 0.8);
    expect(z).toBeCloseTo(300 + 2 * 2.5);
  });

  it("follows the columns of the direction matrix", () => {
    const [x, y] = voxelToWorld(grid(oblique), voxelPoint(0, 0, 1));
    expect(x).toBeCloseTo(-10 + 0.7 * Math.cos(angle));
    expect(y).toBeCloseTo(20 + 0.7 * Math.sin(angle));
  });

  it("comes back to where it started, on upright, flipped and oblique grids", () => {
    const flipped: Direction = [
      [-1, 0, 0],
      [0, -1, 0],
      [0, 0, 1],
    ];
    for (const direction of [identity, flipped, oblique]) {
      const back = worldToVoxel(grid(direction), voxelToWorld(grid(direction), voxelPoint(1.25, 3.5, 0.75)));
      expect(back[0]).toBeCloseTo(1.25);
      expect(back[1]).toBeCloseTo(3.5);
      expect(back[2]).toBeCloseTo(0.75);
    }
  });

  it("knows what lies outside the scan", () => {
    expect(nearestVoxel(grid(identity), voxelPoint(3.4, 4.4, 5.4))).toEqual([3, 4, 5]);
    expect(nearestVoxel(grid(identity), voxelPoint(3.6, 0, 0))).toBeNull();
    expect(nearestVoxel(grid(identity), voxelPoint(0, -0.6, 0))).toBeNull();
  });
});

describe("places in text", () => {
  it("reads an address and an attribute", () => {
    expect(parseWorldPoint("12.5,-40,812.3")).toEqual(worldPoint(12.5, -40, 812.3));
    expect(parseWorldPoint("[1, 2.5, -3]")).toEqual(worldPoint(1, 2.5, -3));
  });

  it.each([null, undefined, "", "1,2", "1,2,3,4", "a,b,c", "1,,3", "1,2,Infinity"])("refuses %s", (text) => {
    expect(parseWorldPoint(text)).toBeNull();
  });
});
