import { describe, expect, it } from "vitest";

import { tilingOf } from "./tiling";

describe("images side by side", () => {
  it.each([
    [1, 1000, 720, 1, 1],
    [2, 1000, 720, 2, 1],
    [2, 600, 1200, 1, 2],
    [3, 1000, 720, 2, 2],
    [3, 2100, 700, 3, 1],
    [4, 1000, 720, 2, 2],
    [5, 1000, 720, 3, 2],
    [6, 1000, 720, 3, 2],
    [7, 1000, 720, 4, 2],
    [8, 1000, 720, 4, 2],
    [8, 3400, 2080, 4, 2],
  ])("%i images on %i x %i stand in %i columns and %i rows", (images, width, height, columns, rows) => {
    expect(tilingOf(images, width, height)).toEqual({ columns, rows });
  });

  it("never leaves a row or a column empty, and no other tiling has larger images", () => {
    for (let images = 1; images <= 8; images += 1) {
      for (const [width, height] of [
        [1000, 720],
        [720, 1000],
        [3400, 2080],
        [300, 300],
      ] as const) {
        const { columns, rows } = tilingOf(images, width, height);
        expect(columns * rows).toBeGreaterThanOrEqual(images);
        expect((columns - 1) * rows).toBeLessThan(images);
        expect(columns * (rows - 1)).toBeLessThan(images);
        const edge = Math.min(width / columns, height / rows);
        for (let other = 1; other <= images; other += 1)
          expect(Math.min(width / other, height / Math.ceil(images / other))).toBeLessThanOrEqual(edge);
      }
    }
  });
});
