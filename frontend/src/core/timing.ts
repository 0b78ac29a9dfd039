/** Time a person has really looked at a case. The clock is monotonic and handed in, in milliseconds. */
export class ReadingClock {
  private readonly startedAt: number;
  private hiddenSince: number | null;
  private hiddenTotal = 0;

  constructor(
    private readonly now: () => number,
    hidden: boolean,
  ) {
    this.startedAt = now();
    this.hiddenSince = hidden ? this.startedAt : null;
  }

  visibilityChanged(hidden: boolean): void {
    if (hidden) {
      this.hiddenSince ??= this.now();
    } else if (this.hiddenSince !== null) {
      this.hiddenTotal += this.now() - this.hiddenSince;
      this.hiddenSince = null;
    }
  }

  /** Whole milliseconds, visible and hidden, since the case was first painted. */
  read(): { readingMs: number; hiddenMs: number } {
    const now = this.now();
    const hidden = this.hiddenTotal + (this.hiddenSince === null ? 0 : now - this.hiddenSince);
    return { readingMs: Math.round(now - this.startedAt - hidden), hiddenMs: Math.round(hidden) };
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

export function describeTimeLeft(milliseconds: number | null): string {
  if (milliseconds === null) return "";
  const minutes = milliseconds / 60_000;
  if (minutes < 1) return "less than a minute left";
  if (minutes < 90) return `about ${Math.round(minutes)} min left`;
  return `about ${(minutes / 60).toFixed(1)} h left`;
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
