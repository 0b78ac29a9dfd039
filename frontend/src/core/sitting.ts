/** Which case is on the screen. The server's last word plus the answers that are still on their way to it. */
export type SessionState = "open" | "finished" | "closed";

export interface ServerView {
  readonly progress: { readonly done: number; readonly total: number };
  readonly state: SessionState;
  /** The first open cases, in their order. */
  readonly next: readonly string[];
  readonly previous: string | null;
}

export interface PendingAnswer {
  readonly presentation: string;
  readonly revisit: boolean;
}

export interface Sitting {
  readonly server: ServerView;
  readonly pending: readonly PendingAnswer[];
  /** Set while the person looks at an earlier case again. */
  readonly revisiting: string | null;
}

export type Phase = "reading" | "saving" | "finished" | "closed";

const openCases = ({ server, pending }: Sitting): string[] =>
  server.next.filter((token) => !pending.some((answer) => answer.presentation === token));

/** The last case of the order, as soon as it is among those that the server has named; it names the first open ones. */
export function lastCase({ progress: { done, total }, next, previous }: ServerView): string | null {
  return done + next.length === total ? (next.at(-1) ?? previous) : null;
}

export const currentCase = (sitting: Sitting): string | null => sitting.revisiting ?? openCases(sitting)[0] ?? null;

/** What should already be loaded while the current case is read, the most urgent first. */
export function comingCases(sitting: Sitting): string[] {
  const open = openCases(sitting);
  return sitting.revisiting === null ? open.slice(1) : open;
}

export function previousCase(sitting: Sitting): string | null {
  if (sitting.revisiting !== null) return null;
  return sitting.pending.at(-1)?.presentation ?? sitting.server.previous;
}

export function phase(sitting: Sitting): Phase {
  if (sitting.server.state === "closed") return "closed";
  if (currentCase(sitting) !== null) return "reading";
  return sitting.pending.length > 0 ? "saving" : "finished";
}

export function progress({ server, pending }: Sitting): { done: number; total: number } {
  const fresh = new Set(pending.filter((answer) => !answer.revisit).map((answer) => answer.presentation));
  return { done: Math.min(server.progress.total, server.progress.done + fresh.size), total: server.progress.total };
}

/** What the server has said last; what a reply leaves out stands as it was. */
export const serverView = (reply: Partial<ServerView>, last: ServerView): ServerView => ({
  progress: reply.progress ?? last.progress,
  state: reply.state ?? last.state,
  next: reply.next ?? last.next,
  previous: reply.previous === undefined ? last.previous : reply.previous,
});
