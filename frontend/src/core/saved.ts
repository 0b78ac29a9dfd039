/** Where the answers are, in words that are true in every state. */
import type { OutboxStatus } from "./outbox";
import type { Words } from "./words/words";

export function savedWords(
  { waiting, unkept, kept, conflicts, ofOthers, problem }: OutboxStatus,
  { saved }: Words,
): string {
  if (conflicts.length > 0) return saved.toDecide(conflicts.length);
  if (waiting === 0 && kept.length > 0) return saved.notTaken(kept.length);
  if (waiting === 0 && ofOthers > 0) return saved.allOfThis(ofOthers);
  if (waiting === 0) return saved.all;
  if (problem === "none") return saved.saving(waiting);
  const why = saved.why[problem];
  return unkept > 0 ? saved.keptInPage(why, waiting) : saved.keptHere(why, waiting);
}
