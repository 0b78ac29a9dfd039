/** How many cases are fetched before they are read, of those that the server names: it names twenty. */
export interface Line {
  /** How long this reader takes for a case; null before the first. */
  readonly paceMs: number | null;
  /** How long a case took from the request to its last slice. */
  readonly loadMs: number;
  /** Of one case in memory. */
  readonly bytes: number;
}

/** So long a reading goes on without a network. */
const OUTAGE_MS = 30_000;
const FEWEST = 2;
const USUAL_PACE_MS = 8_000;
const MEMORY_BYTES = 256 * 1024 * 1024;

/** Enough for an outage, and for a line that is slower than the reader for a while; no more than the memory holds. */
export function casesAhead({ paceMs, loadMs, bytes }: Line): number {
  const pace = Math.max(500, paceMs ?? USUAL_PACE_MS);
  const wanted = Math.max(FEWEST, Math.ceil(OUTAGE_MS / pace), Math.ceil(loadMs / pace) + 1);
  return Math.max(1, Math.min(wanted, Math.floor(MEMORY_BYTES / bytes)));
}
