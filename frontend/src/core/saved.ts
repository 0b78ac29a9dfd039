/** Where the answers are, in words that are true in every state. */
import type { Problem } from "./judgement";
import type { OutboxStatus } from "./outbox";

const WHY: Record<Exclude<Problem, "none">, string> = {
  offline: "No connection",
  server: "The server has trouble",
  interposed: "Something else answers in place of the server",
  "logged-out": "Logged out",
  "other-login": "Another login",
  held: "The study is closed",
};

export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

const are = (count: number): string => (count === 1 ? "is" : "are");

export function savedWords({ waiting, unkept, kept, conflicts, ofOthers, problem }: OutboxStatus): string {
  if (conflicts.length > 0) return `${counted(conflicts.length, "answer")} waiting for your decision`;
  if (waiting === 0 && kept.length > 0) return `${counted(kept.length, "answer")} not taken by the server`;
  if (waiting === 0 && ofOthers > 0)
    return `All answers of this reading saved; ${counted(ofOthers, "answer")} of another one ${are(ofOthers)} kept here`;
  if (waiting === 0) return "All answers saved";
  if (problem === "none") return `Saving, ${waiting} waiting`;
  const place = unkept > 0 ? "in this page only: leave it open" : "here";
  return `${WHY[problem]}: ${counted(waiting, "answer")} ${are(waiting)} kept ${place}`;
}
