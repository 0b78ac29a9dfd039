import { describe, expect, it } from "vitest";

import { BreakReminder, describeTimeLeft, IDLE_AFTER_MS, median, millisecondsLeft, ReadingClock } from "./timing";
import { wordsOf } from "./words/words";

const ENGLISH = wordsOf("en");

describe("reading time", () => {
  it("does not count while the page is hidden", () => {
    let now = 1000;
    const clock = new ReadingClock(() => now, false);
    now = 3000;
    clock.visibilityChanged(true);
    clock.visibilityChanged(true);
    now = 10_000;
    clock.visibilityChanged(false);
    now = 11_500;
    expect(clock.read()).toEqual({ readingMs: 3500, hiddenMs: 7000, idleMs: 0, waitingMs: 0 });
  });

  it("starts hidden when the page is", () => {
    let now = 0;
    const clock = new ReadingClock(() => now, true);
    now = 400;
    expect(clock.read()).toEqual({ readingMs: 0, hiddenMs: 400, idleMs: 0, waitingMs: 0 });
  });

  it("keeps waiting, idling and pauses apart, and the parts add up to the whole", () => {
    let now = 0;
    const clock = new ReadingClock(() => now, false);
    const pass = (ms: number): void => {
      now += ms;
    };
    pass(5000);
    clock.waitingChanged(true);
    pass(2000);
    clock.waitingChanged(false);
    clock.moved();
    pass(IDLE_AFTER_MS + 7000);
    clock.moved();
    pass(1000);
    clock.pauseChanged(true);
    pass(30_000);
    clock.visibilityChanged(true);
    pass(4000);
    clock.visibilityChanged(false);
    pass(500);
    clock.pauseChanged(false);
    pass(100);
    const times = clock.read();
    expect(times).toEqual({ readingMs: 6100 + IDLE_AFTER_MS, waitingMs: 2000, idleMs: 37_500, hiddenMs: 4000 });
    expect(times.readingMs + times.waitingMs + times.idleMs + times.hiddenMs).toBe(now);
  });

  it("counts as a pause what is asked beside the case, whatever pauses in between", () => {
    let now = 0;
    const clock = new ReadingClock(() => now, false);
    now = 3000;
    clock.asideChanged(true);
    now = 4000;
    clock.pauseChanged(true);
    now = 5000;
    clock.pauseChanged(false);
    now = 9000;
    expect(clock.read()).toEqual({ readingMs: 3000, hiddenMs: 0, idleMs: 6000, waitingMs: 0 });
    clock.asideChanged(false);
    now = 9500;
    expect(clock.read().readingMs).toBe(3500);
  });

  it("does not call a long look idle as long as something moves", () => {
    let now = 0;
    const clock = new ReadingClock(() => now, false);
    for (; now < 600_000; now += 50_000) clock.moved();
    expect(clock.read()).toEqual({ readingMs: 600_000, hiddenMs: 0, idleMs: 0, waitingMs: 0 });
  });

  it("promises nothing before it knows, then goes by the median", () => {
    expect(median([])).toBeNull();
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(millisecondsLeft([9000, 9000, 9000, 9000], 10)).toBeNull();
    expect(millisecondsLeft([10_000, 10_000, 10_000, 10_000, 600_000], 12)).toBe(120_000);
    expect(describeTimeLeft(null, ENGLISH)).toBe("");
    expect(describeTimeLeft(millisecondsLeft([9000, 9000, 9000, 9000, 9000], 0), ENGLISH)).toBe("");
    expect(describeTimeLeft(120_000, ENGLISH)).toBe("about 2 min left");
    expect(describeTimeLeft(20_000, ENGLISH)).toBe("less than a minute left");
    expect(describeTimeLeft(6_000_000, ENGLISH)).toBe("about 1.7 h left");
  });

  it("suggests a pause after a long stretch and forgets it after one", () => {
    let now = 0;
    const reminder = new BreakReminder(() => now, 1000, 300);
    const answers = (upTo: number): boolean => {
      let due = false;
      for (; now <= upTo; now += 200) due = reminder.answered();
      return due;
    };
    expect(answers(800)).toBe(false);
    expect(answers(1200)).toBe(true);
    now += 1000;
    expect(reminder.answered()).toBe(false);
  });
});
