import { describe, expect, it } from "vitest";

import { maskOutline } from "./outline";

describe("outline", () => {
  /** Length of all segments, in pixel edges. */
  const total = (segments: number[]): number => {
    let sum = 0;
    for (let i = 0; i < segments.length; i += 4) {
      const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = segments.slice(i, i + 4);
      sum += Math.abs(x1 - x0) + Math.abs(y1 - y0);
    }
    return sum;
  };

  it("is empty for nothing and runs around everything, also at the border", () => {
    expect(maskOutline(new Uint8Array(12), 4, 3)).toEqual([]);
    expect(total(maskOutline(new Uint8Array(12).fill(1), 4, 3))).toBe(14);
  });

  it("has exactly the edges between marked and unmarked pixels", () => {
    const [columns, rows] = [17, 13];
    let seed = 7;
    const mask = Uint8Array.from({ length: columns * rows }, () => {
      seed = (seed * 16807) % 2147483647;
      return seed % 3 === 0 ? 1 : 0;
    });
    const at = (x: number, y: number): number =>
      x < 0 || y < 0 || x >= columns || y >= rows ? 0 : (mask[y * columns + x] ?? 0);
    let edges = 0;
    for (let y = 0; y <= rows; y += 1) {
      for (let x = 0; x <= columns; x += 1)
        edges += Number(at(x, y) !== at(x, y - 1)) + Number(at(x, y) !== at(x - 1, y));
    }
    expect(total(maskOutline(mask, columns, rows))).toBe(edges);
  });
});
