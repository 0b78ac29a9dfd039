import { describe, expect, it } from "vitest";

import { classifyStatus, retryDelayMs } from "./retry";

describe("retry policy", () => {
  it.each([
    [200, "accepted"],
    [201, "accepted"],
    [400, "refused"],
    [404, "refused"],
    [401, "logged-out"],
    [403, "logged-out"],
    [409, "closed"],
    [0, "transient"],
    [429, "transient"],
    [500, "transient"],
    [503, "transient"],
  ] as const)("%d is %s", (status, outcome) => {
    expect(classifyStatus(status)).toBe(outcome);
  });

  it("waits longer each time, up to half a minute, never less than half of it", () => {
    const longest = [0, 1, 2, 3, 20].map((attempt) => retryDelayMs(attempt, () => 1));
    const shortest = [0, 1, 2, 3, 20].map((attempt) => retryDelayMs(attempt, () => 0));
    expect(longest).toEqual([1000, 2000, 4000, 8000, 30_000]);
    expect(shortest).toEqual([500, 1000, 2000, 4000, 15_000]);
  });
});
