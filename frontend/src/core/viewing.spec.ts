import { describe, expect, it } from "vitest";

import { ViewingRecord } from "./viewing";

describe("viewing record", () => {
  const window = { center: 60, width: 400 };

  it("adds up what stood on the screen, and nothing while it was covered", () => {
    let now = 0;
    const record = new ViewingRecord(() => now, true);
    record.shows({ slice: 4, window, zoom: 1, placeInView: true });
    now = 1000;
    record.shows({ slice: 5, window, zoom: 1, placeInView: false });
    now = 1250;
    record.shows(null);
    now = 90_000;
    record.shows({ slice: 4, window: { center: 40, width: 150 }, zoom: 2.5, placeInView: true });
    now = 90_400;
    expect(record.read()).toEqual({
      slices: [
        [4, 1400],
        [5, 250],
      ],
      windows: [
        [60, 400, 1250],
        [40, 150, 400],
      ],
      zoom_range: [1, 2.5],
      place_ms: 1400,
    });
  });

  it("keeps the windows that were looked at longest, however many there were", () => {
    let now = 0;
    const record = new ViewingRecord(() => now, true);
    for (let i = 0; i < 300; i += 1) {
      record.shows({ slice: 0, window: { center: i, width: 400 }, zoom: 1, placeInView: true });
      now += i;
    }
    const { windows } = record.read();
    expect(windows).toHaveLength(20);
    expect(windows[0]).toEqual([299, 400, 299]);
  });

  it("says nothing of the time of a place where none is marked", () => {
    const record = new ViewingRecord(() => 0, false);
    record.shows({ slice: 0, window, zoom: 1, placeInView: false });
    expect(record.read()).not.toHaveProperty("place_ms");
  });
});
