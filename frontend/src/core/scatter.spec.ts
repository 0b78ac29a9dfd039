import { describe, expect, it } from "vitest";

import { isOnSheet, neighbour, panBy, sightOf, toData, toSheet, zoomAbout } from "./scatter";

const sheet = { width: 800, height: 400 };
const points = [
  { x: -2, y: 0 },
  { x: 4, y: 1 },
  { x: 1, y: 5 },
];

describe("a scatter plot", () => {
  it("has every point in sight at first", () => {
    const sight = sightOf(points);
    for (const point of points) {
      expect(isOnSheet(sheet, toSheet(sight, sheet, point))).toBe(true);
    }
    const farther = zoomAbout(sight, sheet, { x: 0, y: 0 }, 8);
    expect(points.every((point) => isOnSheet(sheet, toSheet(farther, sheet, point)))).toBe(false);
  });

  it("goes to the sheet and back, with y up in the data", () => {
    const sight = sightOf(points);
    const there = toSheet(sight, sheet, { x: 3, y: 2 });
    const back = toData(sight, sheet, there);
    expect(back.x).toBeCloseTo(3);
    expect(back.y).toBeCloseTo(2);
    expect(toSheet(sight, sheet, { x: 0, y: 3 }).y).toBeLessThan(toSheet(sight, sheet, { x: 0, y: 1 }).y);
  });

  it("zooms about the pointer and pans with it", () => {
    const sight = sightOf(points);
    const at = { x: 200, y: 300 };
    const fixed = toData(sight, sheet, at);
    const closer = zoomAbout(sight, sheet, at, 2);
    expect(toSheet(closer, sheet, fixed).x).toBeCloseTo(at.x);
    expect(toSheet(closer, sheet, fixed).y).toBeCloseTo(at.y);
    expect(closer.width).toBeCloseTo(sight.width / 2);
    const moved = panBy(sight, sheet, 30, -20);
    expect(toSheet(moved, sheet, fixed).x).toBeCloseTo(at.x + 30);
    expect(toSheet(moved, sheet, fixed).y).toBeCloseTo(at.y - 20);
  });

  it("finds the neighbour in a direction and none beyond the last", () => {
    expect(neighbour(points, 0, 1, 0)).toBe(1);
    expect(neighbour(points, 0, 0, 1)).toBe(2);
    expect(neighbour(points, 1, 1, 0)).toBeNull();
  });

  it("survives having nothing or a single point to show", () => {
    expect(sightOf([]).width).toBeGreaterThan(0);
    expect(sightOf([{ x: 1, y: 1 }]).height).toBeGreaterThan(0);
  });
});
