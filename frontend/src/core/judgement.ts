/** What the reply to an answer means. Only the server's own word about this very answer ends it; whatever else comes
back (a login page, a proxy's error page, another person's login) leaves the answer where it is. */
import type { Mark, PlacedMark } from "./marking";
import type { SendReply } from "./outbox";

/** The answer of a case that counts on the server at present. */
export interface GivenAnswer {
  readonly client_event_id: string;
  readonly answer: string;
  readonly confidence: number | null;
  readonly level: number | null;
  readonly mark: Mark | null;
  readonly marks: readonly PlacedMark[] | null;
  /** Of the image that it is about, from 0 on the left. */
  readonly side: number;
  readonly answered_at: string;
}

/** Why answers are not on the server yet. */
export type Problem = "none" | "offline" | "server" | "interposed" | "logged-out" | "other-login" | "held";

/** Why the server holds an answer of a sitting without the check of the display that its study requires. */
export const DISPLAY_NOT_CHECKED = "display_not_checked";

export type Judgement =
  | { readonly kind: "accepted" }
  /** The server has another answer to this case: the reader says which one counts. */
  | { readonly kind: "conflict"; readonly current: GivenAnswer | null }
  /** Not now: the study is closed and may be opened again, or something is asked for first. */
  | { readonly kind: "held"; readonly code: string }
  | { readonly kind: "refused" }
  | { readonly kind: "waiting"; readonly problem: Problem };

const waiting = (problem: Problem): Judgement => ({ kind: "waiting", problem });

export function judge(reply: SendReply, clientEventId: string, voice: string): Judgement {
  const { status, body } = reply;
  if (status === 0) return waiting("offline");
  if (status >= 200 && status < 300) {
    return objectIn(body, "receipt")?.client_event_id === clientEventId ? { kind: "accepted" } : waiting("interposed");
  }
  const refusal = objectIn(body, "refusal");
  if (refusal?.client_event_id === clientEventId && voice !== "" && refusal.voice === voice) {
    if (refusal.code === "answer_conflict") return { kind: "conflict", current: (refusal.current ?? null) as never };
    if (refusal.final === true) return { kind: "refused" };
    return { kind: "held", code: String(refusal.code) };
  }
  // The server's own errors are JSON with a sentence; a proxy's are pages.
  const own = typeof fieldOf(body, "detail") === "string";
  if (own && (status === 401 || status === 403)) return waiting("logged-out");
  if (own && status === 404) return waiting("other-login");
  return waiting(status >= 500 || status === 429 || own ? "server" : "interposed");
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function objectIn(value: unknown, name: string): Record<string, unknown> | null {
  const found = fieldOf(value, name);
  return typeof found === "object" && found !== null ? (found as Record<string, unknown>) : null;
}
