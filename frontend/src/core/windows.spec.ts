import { describe, expect, it } from "vitest";

import { dragWindow, greyLevel, windowRange } from "./windows";

describe("windows", () => {
  it("maps the range to black and white and the centre to the middle", () => {
    const window = { center: 60, width: 160 };
    expect(windowRange(window)).toEqual({ lower: -20, upper: 140 });
    expect([-1024, -20, 60, 140, 3071].map((hu) => greyLevel(hu, window))).toEqual([0, 0, 128, 255, 255]);
  });

  it("widens to the right and never turns inside out", () => {
    expect(dragWindow({ center: 60, width: 400 }, 30, 0).width).toBeGreaterThan(400);
    expect(dragWindow({ center: 60, width: 400 }, -100_000, 0).width).toBe(2);
  });
});
