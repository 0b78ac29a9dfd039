import { describe, expect, it } from "vitest";

import { WheelSteps } from "./wheel";

/** How many slices the events bring, each so many milliseconds after the one before. */
function slices(pixels: readonly number[], gapMs: number): number {
  const steps = new WheelSteps();
  return pixels.reduce((sum, delta, i) => sum + steps.turned(delta, 1000 + i * gapMs), 0);
}
const times = (count: number, pixels: number): number[] => Array.from({ length: count }, () => pixels);

describe("wheel", () => {
  it.each([
    ["a Mac's slow notches of 4 px", times(5, 4), 120, 5],
    ["notches of 33.3 px", times(2, 33.3), 20, 2],
    ["fast notches of 100 px", times(6, 100), 10, 6],
    ["a notch that calls itself 500 px", [500], 20, 1],
    ["notches of 120 px backwards", times(3, -120), 100, -3],
    ["nothing", [0, 0], 16, 0],
  ])("gives one slice for one notch: %s", (_, pixels, gapMs, expected) => {
    expect(slices(pixels, gapMs)).toBe(expected);
  });

  it("lets a trackpad glide by its way and not by its events", () => {
    expect(slices(times(60, 3), 16)).toBe(6);
    expect(slices(times(20, 12), 16)).toBe(7);
    expect(slices([...times(10, 3), ...times(10, -3)], 16)).toBe(0);
  });
});
