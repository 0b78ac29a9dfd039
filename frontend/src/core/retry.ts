/** What to do when the server did not give what it was asked for. (Answers are judged more strictly: judgement.ts.) */
export type SendOutcome =
  | "accepted"
  /** Try again later by itself: lost network, server restarting or overloaded. */
  | "transient"
  /** The login has expired: ask for it, try again. */
  | "logged-out"
  /** The study was closed or the session is not open: say so, do not insist. */
  | "closed"
  /** There is no such thing, or the request was wrong. */
  | "refused";

/** status 0 = no answer from the server at all. */
export function classifyStatus(status: number): SendOutcome {
  if (status >= 200 && status < 300) return "accepted";
  if (status === 401 || status === 403) return "logged-out";
  if (status === 409) return "closed";
  // 408 and 425 ask for the same request again, 429 for patience.
  if (status === 0 || status === 408 || status === 425 || status === 429 || status >= 500) return "transient";
  return "refused";
}

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;

/** Doubling with jitter, so that a room full of readers does not come back in one instant. */
export function retryDelayMs(attempt: number, random: () => number): number {
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling * (0.5 + random() / 2));
}

/** While logged out: often enough to go on soon after the login in the other tab. */
export const LOGIN_CHECK_MS = 4_000;

/** While the study is closed: it may be opened again. */
export const HELD_CHECK_MS = 60_000;
