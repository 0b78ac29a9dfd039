import { describe, expect, it } from "vitest";

import { difference } from "./difference";

describe("difference", () => {
  it("is after minus before and stays within the range of the type", () => {
    const after = Int16Array.of(10, -5, 32767, -32768);
    const before = Int16Array.of(4, 5, -10, 10);
    expect([...difference(after, before)]).toEqual([6, -10, 32767, -32768]);
    expect(() => difference(after, new Int16Array(3))).toThrow(RangeError);
  });
});
