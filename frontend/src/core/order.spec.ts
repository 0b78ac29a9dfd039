import { describe, expect, it } from "vitest";

import { outwardFrom } from "./order";

describe("order of loading", () => {
  it("is every slice once, never farther away than the one after it", () => {
    for (const [start, count] of [
      [0, 1],
      [3, 10],
      [9, 10],
      [0, 7],
      [50, 8],
      [-2, 5],
    ] as const) {
      const order = outwardFrom(start, count);
      const first = Math.min(count - 1, Math.max(0, start));
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
      const distances = order.map((index) => Math.abs(index - first));
      expect(distances).toEqual([...distances].sort((a, b) => a - b));
    }
    expect(outwardFrom(0, 0)).toEqual([]);
  });
});
