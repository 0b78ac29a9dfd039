import { describe, expect, it } from "vitest";

import { erased, NOTHING, set, stepped, typed } from "./number-entry";

const limits = { lowest: 0, highest: 100 };
const typedAll = (digits: string) =>
  Array.from(digits).reduce((entry, digit) => typed(entry, Number(digit), limits), NOTHING);

describe("a number that is typed", () => {
  it.each([
    ["7", 7],
    ["42", 42],
    ["100", 100],
    ["05", 5],
    ["101", 1],
    ["427", 7],
  ])("makes %s to %i", (digits, value) => {
    expect(typedAll(digits).value).toBe(value);
  });

  it("loses its last digit, and then everything", () => {
    expect(erased(typedAll("42")).value).toBe(4);
    expect(erased(erased(typedAll("42")))).toEqual(NOTHING);
    expect(erased(set(42))).toEqual(NOTHING);
  });

  it("is stepped within its limits, from the middle where there is none yet", () => {
    expect(stepped(NOTHING, 1, limits).value).toBe(50);
    expect(stepped(set(100), 1, limits).value).toBe(100);
    expect(stepped(set(0), -1, limits).value).toBe(0);
    expect(stepped(typedAll("42"), -1, limits).value).toBe(41);
  });

  it("begins anew after it was set by other means", () => {
    expect(typed(set(42), 7, limits).value).toBe(7);
  });
});
