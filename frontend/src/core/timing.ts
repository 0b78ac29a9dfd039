import type { Words } from "./words/words";
import { decimal } from "./words/words";

/** A minute without a movement is a minute in which nobody is known to have looked. */
export const IDLE_AFTER_MS = 60_000;

export interface ReadingTimes {
  /** Looking: visible, with the picture there, and the person moving now and then. */
  readonly readingMs: number;
  readonly hiddenMs: number;
  /** Visible without any movement for a minute or longer, from the end of that minute on; pauses count here. */
  readonly idleMs: number;
  /** The wanted slice had not arrived. */
  readonly waitingMs: number;
}

/** Where the time of a case goes. The clock is monotonic and handed in, in milliseconds. */
export class ReadingClock {
  private readonly spent = { readingMs: 0, hiddenMs: 0, idleMs: 0, waitingMs: 0 };
  private settledAt: number;
  private movedAt: number;
  private waiting = false;
  private paused = false;
  private aside = false;

  constructor(
    private readonly now: () => number,
    private hidden: boolean,
  ) {
    this.settledAt = now();
    this.movedAt = this.settledAt;
  }

  visibilityChanged(hidden: boolean): void {
    this.settle();
    this.hidden = hidden;
    this.moved();
  }

  waitingChanged(waiting: boolean): void {
    this.settle();
    this.waiting = waiting;
  }

  pauseChanged(paused: boolean): void {
    this.settle();
    this.paused = paused;
    this.moved();
  }

  /** Something else than the case is asked: that counts as a pause, during which another one may begin and end. */
  asideChanged(aside: boolean): void {
    this.settle();
    this.aside = aside;
    this.moved();
  }

  /** The person did something. */
  moved(): void {
    this.settle();
    this.movedAt = this.settledAt;
  }

  /** Whole milliseconds since the case was first painted; the parts add up to the whole. */
  read(): ReadingTimes {
    this.settle();
    const { readingMs, hiddenMs, idleMs, waitingMs } = this.spent;
    return {
      readingMs: Math.round(readingMs),
      hiddenMs: Math.round(hiddenMs),
      idleMs: Math.round(idleMs),
      waitingMs: Math.round(waitingMs),
    };
  }

  private settle(): void {
    const now = this.now();
    const passed = now - this.settledAt;
    if (this.hidden) this.spent.hiddenMs += passed;
    else if (this.paused || this.aside) this.spent.idleMs += passed;
    else if (this.waiting) this.spent.waitingMs += passed;
    else {
      const idle = Math.max(0, Math.min(passed, now - this.movedAt - IDLE_AFTER_MS));
      this.spent.idleMs += idle;
      this.spent.readingMs += passed - idle;
    }
    this.settledAt = now;
  }
}

export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? 0;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? 0) + upper) / 2 : upper;
}

/** Cases before a forecast is worth saying, and how many recent ones it looks at. */
export const FORECAST_MIN_CASES = 5;
const FORECAST_RECENT_CASES = 30;

/** From the person's own median; null while there is too little to go by. */
export function millisecondsLeft(caseTimesMs: readonly number[], casesLeft: number): number | null {
  if (caseTimesMs.length < FORECAST_MIN_CASES) return null;
  const typical = median(caseTimesMs.slice(-FORECAST_RECENT_CASES));
  return typical === null ? null : typical * casesLeft;
}

export function describeTimeLeft(milliseconds: number | null, words: Words): string {
  if (milliseconds === null || milliseconds === 0) return "";
  const minutes = milliseconds / 60_000;
  if (minutes < 1) return words.time.lessThanAMinute;
  if (minutes < 90) return words.time.minutes(Math.round(minutes));
  return words.time.hours(decimal(words, minutes / 60, 1));
}

/** Suggests a pause after a long stretch without one; leaving the page for a while counts as a pause. */
export class BreakReminder {
  private stretchStartedAt: number;
  private lastSeenAt: number;

  constructor(
    private readonly now: () => number,
    private readonly stretchMs = 25 * 60_000,
    private readonly pauseMs = 2 * 60_000,
  ) {
    this.stretchStartedAt = now();
    this.lastSeenAt = this.stretchStartedAt;
  }

  /** Call at every answer; true when a pause is due. */
  answered(): boolean {
    const now = this.now();
    if (now - this.lastSeenAt > this.pauseMs) this.stretchStartedAt = now;
    this.lastSeenAt = now;
    return now - this.stretchStartedAt >= this.stretchMs;
  }

  dismissed(): void {
    this.stretchStartedAt = this.now();
  }
}
