import { describe, expect, it } from "vitest";

import { casesAhead } from "./ahead";

const PATCH = 20_000;
const STACK = 15 * 512 * 512 * 2;

describe("cases ahead", () => {
  it("lasts for half a minute without a network", () => {
    expect(casesAhead({ paceMs: 6_000, loadMs: 100, bytes: STACK })).toBe(5);
    expect(casesAhead({ paceMs: 3_000, loadMs: 100, bytes: PATCH })).toBe(10);
  });

  it("fetches two for whoever takes their time, and more where the line is slower than that", () => {
    expect(casesAhead({ paceMs: 60_000, loadMs: 100, bytes: STACK })).toBe(2);
    expect(casesAhead({ paceMs: 20_000, loadMs: 70_000, bytes: STACK })).toBe(5);
  });

  it("supposes a usual pace before the first answer, and never a pace of nothing", () => {
    expect(casesAhead({ paceMs: null, loadMs: 100, bytes: STACK })).toBe(4);
    expect(casesAhead({ paceMs: 0, loadMs: 100, bytes: PATCH })).toBe(60);
  });

  it("keeps within the memory, but for one", () => {
    expect(casesAhead({ paceMs: 3_000, loadMs: 100, bytes: 61 * 512 * 512 * 2 })).toBe(8);
    expect(casesAhead({ paceMs: 3_000, loadMs: 100, bytes: 400 * 1024 * 1024 })).toBe(1);
  });
});
