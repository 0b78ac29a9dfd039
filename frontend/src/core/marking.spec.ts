import { describe, expect, it } from "vitest";

import { markingAction, moved, pixelUnder } from "./marking";

const press = (key: string, shiftKey = false) => ({ key, shiftKey });
const SIZE = { rows: 20, columns: 30 };

describe("marking by keys", () => {
  it("begins and sets with Enter, and leaves the arrows alone until then", () => {
    expect(markingAction(press("Enter"), false)).toEqual({ kind: "begin" });
    expect(markingAction(press("ArrowDown"), false)).toBeNull();
    expect(markingAction(press("Escape"), false)).toBeNull();
    expect(markingAction(press("ArrowDown"), true)).toEqual({ kind: "move", rows: 1, columns: 0 });
    expect(markingAction(press("ArrowLeft", true), true)).toEqual({ kind: "move", rows: 0, columns: -10 });
    expect(markingAction(press("Enter"), true)).toEqual({ kind: "set" });
    expect(markingAction(press("Escape"), true)).toEqual({ kind: "cancel" });
    expect(markingAction(press("Delete"), false)).toEqual({ kind: "clear" });
    expect(markingAction(press("1"), true)).toBeNull();
  });

  it("stays within the picture", () => {
    const mark = { slice: 2, row: 18, column: 3 };
    expect(moved(mark, { rows: 10, columns: -10 }, SIZE)).toEqual({ slice: 2, row: 19, column: 0 });
    expect(moved(mark, { rows: -1, columns: 1 }, SIZE)).toEqual({ slice: 2, row: 17, column: 4 });
  });
});

describe("marking by mouse", () => {
  it("marks the pixel under the point, and nothing beside the picture", () => {
    expect(pixelUnder({ row: 4.99, column: 0 }, 1, SIZE)).toEqual({ slice: 1, row: 4, column: 0 });
    expect(pixelUnder({ row: 20, column: 3 }, 1, SIZE)).toBeNull();
    expect(pixelUnder({ row: 3, column: -0.01 }, 1, SIZE)).toBeNull();
  });
});
