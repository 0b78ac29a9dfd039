/** Asks the server until it answers, and says meanwhile what is being waited for. */
import { getBytes, HttpError } from "../../api/http";
import { classifyStatus, LOGIN_CHECK_MS, retryDelayMs } from "../../core/retry";
import { element } from "../shared/dom";
import type { ReadingLayout } from "./layout";
import { words } from "../../words";

export async function untilAnswered<T>(layout: ReadingLayout, ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const answer = await ask();
      if (attempt > 0) layout.say("login");
      return answer;
    } catch (error) {
      await pause(layout, attempt, error);
    }
  }
}

/** Pixels of one slice, asked for until they are here: a case never stays incomplete for a passing trouble. */
export async function patientBytes(
  url: string,
  bytes: number,
  signal: AbortSignal,
  trouble: (status: number) => void,
): Promise<ArrayBuffer> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const arrived = await getBytes(url, signal, 1);
      // What is shorter or longer is the page of something in between, not pixels.
      if (arrived.byteLength === bytes) return arrived;
    } catch (error) {
      signal.throwIfAborted();
      trouble(error instanceof HttpError ? error.status : 0);
    }
    await untilWorthwhile(retryDelayMs(Math.min(attempt, LONGEST_SLICE_PAUSE), Math.random));
    signal.throwIfAborted();
  }
}

/** Doublings of a second: a slice is asked for at least every eight seconds. */
const LONGEST_SLICE_PAUSE = 3;
/** A refusal may be lifted (a study opened again), but not soon. */
const REFUSED_CHECK_MS = 30_000;

async function pause(layout: ReadingLayout, attempt: number, error: unknown): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  const outcome = classifyStatus(error instanceof HttpError ? error.status : 0);
  let delay = REFUSED_CHECK_MS;
  if (outcome === "logged-out") {
    delay = LOGIN_CHECK_MS;
    layout.state("logged-out");
    layout.askForLogin(words.login.expired, "");
    layout.coverWith(element("p", {}, words.login.waiting));
  } else if (outcome === "transient") {
    delay = retryDelayMs(attempt, Math.random);
    layout.state("error");
    layout.coverWith(element("p", {}, words.server.triesAgain(message)));
  } else {
    layout.state("error");
    layout.coverWith(element("p", {}, message));
  }
  await untilWorthwhile(delay);
}

/** A while, or until the network is back. */
function untilWorthwhile(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    window.addEventListener("online", done);
  });
}
