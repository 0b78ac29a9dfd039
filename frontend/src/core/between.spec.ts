import { describe, expect, it } from "vitest";

import { fillBetween, voxelsBetween } from "./between";
import type { AxisZyx } from "./brush";
import type { Grid, Triple } from "./geometry";
import { Strokes } from "./strokes";

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

const SIZE: Triple = [11, 40, 44];
const GRID = grid(SIZE, [3, 0.8, 1.1]);
const ACROSS: readonly AxisZyx[] = [0, 1, 2];
type Inside = (row: number, column: number) => boolean;

const offsetOf = (axis: AxisZyx, slice: number, row: number, column: number): number => {
  const at = [row, column];
  at.splice(axis, 0, slice);
  const [z = 0, y = 0, x = 0] = at;
  return (z * SIZE[1] + y) * SIZE[2] + x;
};
const inPlane = (values: Triple, axis: AxisZyx): [number, number] => {
  const [first = 0, second = 0] = values.filter((_, other) => other !== axis);
  return [first, second];
};
const voxelsOf = (axis: AxisZyx, slice: number, inside: Inside): number[] => {
  const [rows, columns] = inPlane(SIZE, axis);
  const found: number[] = [];
  for (let row = 0; row < rows; row += 1)
    for (let column = 0; column < columns; column += 1)
      if (inside(row, column)) found.push(offsetOf(axis, slice, row, column));
  return found;
};
/** Within so many mm of the middle of the slice. */
const disc =
  (axis: AxisZyx, radiusMm: number, shiftMm = 0): Inside =>
  (row, column) => {
    const [rows, columns] = inPlane(SIZE, axis);
    const [rowMm, columnMm] = inPlane(GRID.spacingZyxMm, axis);
    return Math.hypot((row - (rows >> 1)) * rowMm, (column - (columns >> 1)) * columnMm - shiftMm) <= radiusMm;
  };

const between = (axis: AxisZyx, slices: number[], shapes: Inside[]): number[] => {
  const voxels = slices.flatMap((slice, i) => voxelsOf(axis, slice, shapes[i] ?? ((): boolean => false)));
  const found: number[] = [];
  const sorted = Uint32Array.from(voxels).sort();
  voxelsBetween(GRID, axis, slices, sorted, (offset) => found.push(offset));
  return found.sort((a, b) => a - b);
};
const ascending = (...parts: number[][]): number[] => parts.flat().sort((a, b) => a - b);

/** To the nearest place of the other side, looked for among all places of the slice and of a margin around it. */
const signedByBruteForce = (axis: AxisZyx, shape: Inside): number[] => {
  const [rows, columns] = inPlane(SIZE, axis);
  const [rowMm, columnMm] = inPlane(GRID.spacingZyxMm, axis);
  const within = (r: number, c: number): boolean => r >= 0 && c >= 0 && r < rows && c < columns && shape(r, c);
  const places = Array.from({ length: (rows + 2) * (columns + 2) }, (_, i) => {
    const [r, c] = [Math.floor(i / (columns + 2)) - 1, (i % (columns + 2)) - 1];
    return { r, c, inside: within(r, c) };
  });
  return Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    const inside = within(row, column);
    let squared = Infinity;
    for (const { r, c, inside: other } of places) {
      if (other !== inside) squared = Math.min(squared, ((r - row) * rowMm) ** 2 + ((c - column) * columnMm) ** 2);
    }
    return inside ? -Math.sqrt(squared) : Math.sqrt(squared);
  });
};

describe("what lies between two slices", () => {
  it("is the same shape where both are the same, on any plane and up to the edge of the scan", () => {
    for (const axis of ACROSS) {
      const whole: Inside = () => true;
      for (const shape of [disc(axis, 7), whole]) {
        const expected = ascending(...[4, 5, 6].map((slice) => voxelsOf(axis, slice, shape)));
        expect(between(axis, [3, 7], [shape, shape])).toEqual(expected);
      }
    }
  });

  it("goes from the one to the other by distances in mm to their edges", () => {
    const [first, last] = [disc(0, 5, -3), disc(0, 12, 2)];
    const found = between(0, [2, 6], [first, last]);
    const [near, far] = [signedByBruteForce(0, first), signedByBruteForce(0, last)];
    const expected = [3, 4, 5].map((slice) => {
      const share = (slice - 2) / 4;
      return voxelsOf(0, slice, (row, column) => {
        const place = row * SIZE[2] + column;
        return (1 - share) * (near[place] ?? 0) + share * (far[place] ?? 0) <= 0;
      });
    });
    expect(found).toEqual(ascending(...expected));
    const areas = expected.map(({ length }) => length);
    expect(areas).toEqual([...areas].sort((a, b) => a - b));
    // Of circles around one place all are circles: 5, 7.5 and 10 mm.
    const middle = between(0, [2, 4], [disc(0, 5), disc(0, 10)]).length;
    expect(middle / voxelsOf(0, 3, disc(0, 7.5)).length).toBeCloseTo(1, 1);
  });

  it("holds what both have and nothing that neither has, and is the same from either end", () => {
    for (const axis of ACROSS) {
      const [first, last] = [disc(axis, 9, -4), disc(axis, 6, 3)];
      const found = new Set(between(axis, [1, 5], [first, last]));
      for (const slice of [2, 3, 4]) {
        for (const offset of voxelsOf(axis, slice, (r, c) => first(r, c) && last(r, c))) {
          expect(found.has(offset)).toBe(true);
        }
        for (const offset of voxelsOf(axis, slice, (r, c) => !first(r, c) && !last(r, c))) {
          expect(found.has(offset)).toBe(false);
        }
      }
      const mirrored = between(axis, [1, 5], [last, first]).length;
      expect(mirrored).toBe(found.size);
    }
  });

  it("is nothing where shapes lie apart, slices touch, or one is empty", () => {
    const none: Inside = () => false;
    expect(between(0, [2, 4], [disc(0, 3, -12), disc(0, 3, 12)])).toEqual([]);
    expect(between(0, [2, 3], [disc(0, 5), disc(0, 5)])).toEqual([]);
    expect(between(0, [2, 5], [disc(0, 5), none])).toEqual([]);
  });
});

describe("filling between strokes", () => {
  const draw = (strokes: Strokes, axis: AxisZyx, index: number, inside: Inside, value: 0 | 1): void => {
    strokes.begin({ axis, index });
    for (const offset of voxelsOf(axis, index, inside)) strokes.write(offset, value);
    strokes.end();
  };
  const nothing = (): Strokes => new Strokes(new Uint8Array(SIZE[0] * SIZE[1] * SIZE[2]));
  const everywhere = (): Strokes => new Strokes(new Uint8Array(SIZE[0] * SIZE[1] * SIZE[2]).fill(1));

  it("paints where was painted, erases where was erased, and is undone in one step", () => {
    for (const [strokes, value] of [
      [nothing(), 1],
      [everywhere(), 0],
    ] as const) {
      draw(strokes, 0, 2, disc(0, 5), value);
      draw(strokes, 0, 6, disc(0, 9), value);
      const before = strokes.voxels.slice();
      const { pairs, voxels } = fillBetween(GRID, strokes);
      const expected = between(0, [2, 6], [disc(0, 5), disc(0, 9)]);
      expect([pairs, voxels]).toEqual([1, expected.length]);
      expect(expected.every((offset) => strokes.voxels[offset] === value)).toBe(true);
      expect(strokes.turned().length).toBe(
        voxelsOf(0, 2, disc(0, 5)).length + voxelsOf(0, 6, disc(0, 9)).length + expected.length,
      );
      strokes.undo();
      expect(strokes.voxels).toEqual(before);
      strokes.redo();
      expect(strokes.voxels[expected[0] ?? 0]).toBe(value);
    }
  });

  it("goes from each slice that was drawn on to the next one, of the view that was drawn on last", () => {
    const strokes = nothing();
    draw(strokes, 1, 3, disc(1, 4), 1);
    draw(strokes, 1, 30, disc(1, 4), 1);
    draw(strokes, 0, 9, disc(0, 6), 1);
    draw(strokes, 0, 1, disc(0, 6), 1);
    draw(strokes, 0, 4, disc(0, 6), 1);
    expect(fillBetween(GRID, strokes).pairs).toBe(2);
    for (const slice of [2, 3, 5, 6, 7, 8]) {
      expect(voxelsOf(0, slice, disc(0, 6)).every((offset) => strokes.voxels[offset] === 1)).toBe(true);
    }
    expect(strokes.voxels[offsetOf(1, 15, 5, 1)]).toBe(0);
    expect(fillBetween(GRID, strokes)).toEqual({ pairs: 2, voxels: 0 });
  });

  it("counts the slices of the pointer, not those that a ball reaches, and none of a stroke that was undone", () => {
    const strokes = nothing();
    expect(fillBetween(GRID, strokes)).toEqual({ pairs: 0, voxels: 0 });
    for (const middle of [2, 8]) {
      strokes.begin({ axis: 0, index: middle });
      for (const [slice, radiusMm] of [
        [middle - 1, 2],
        [middle, 8],
        [middle + 1, 2],
      ] as const) {
        for (const offset of voxelsOf(0, slice, disc(0, radiusMm))) strokes.write(offset, 1);
      }
      strokes.end();
    }
    strokes.undo();
    expect(fillBetween(GRID, strokes)).toEqual({ pairs: 0, voxels: 0 });
    strokes.redo();
    expect(fillBetween(GRID, strokes).pairs).toBe(1);
    for (const slice of [3, 4, 5, 6, 7]) {
      expect(voxelsOf(0, slice, disc(0, 8)).every((offset) => strokes.voxels[offset] === 1)).toBe(true);
    }
  });

  it("counts what it changes: what is there already is left as it is", () => {
    const painted = nothing();
    draw(painted, 0, 2, disc(0, 9), 1);
    draw(painted, 0, 6, disc(0, 9), 1);
    painted.begin();
    for (const offset of voxelsOf(0, 4, disc(0, 4))) painted.write(offset, 1);
    painted.end();
    expect(fillBetween(GRID, painted).voxels).toBe(
      3 * voxelsOf(0, 2, disc(0, 9)).length - voxelsOf(0, 4, disc(0, 4)).length,
    );
  });

  it("still knows the slices when the strokes were put onto another version of the mask", () => {
    const strokes = nothing();
    draw(strokes, 0, 2, disc(0, 5), 1);
    draw(strokes, 0, 6, disc(0, 5), 1);
    const carried = strokes.onto(new Uint8Array(strokes.voxels.length));
    expect(fillBetween(GRID, carried).voxels).toBe(3 * voxelsOf(0, 2, disc(0, 5)).length);
  });
});
