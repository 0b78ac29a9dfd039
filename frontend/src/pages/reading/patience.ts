/** Asks the server until it answers, and says meanwhile what is being waited for. */
import { HttpError } from "../../api/http";
import { classifyStatus, LOGIN_CHECK_MS, retryDelayMs } from "../../core/retry";
import { element } from "../shared/dom";
import type { ReadingLayout } from "./layout";

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

/** A refusal may be lifted (a study reopened), but not soon. */
const REFUSED_CHECK_MS = 30_000;

async function pause(layout: ReadingLayout, attempt: number, error: unknown): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  const outcome = classifyStatus(error instanceof HttpError ? error.status : 0);
  let delay = REFUSED_CHECK_MS;
  if (outcome === "logged-out") {
    delay = LOGIN_CHECK_MS;
    layout.state("logged-out");
    layout.askForLogin("");
    layout.coverWith(element("p", {}, "Waiting for your login."));
  } else if (outcome === "transient") {
    delay = retryDelayMs(attempt, Math.random);
    layout.state("error");
    layout.coverWith(element("p", {}, `${message} This page tries again by itself.`));
  } else {
    layout.state("error");
    layout.coverWith(element("p", {}, message));
  }
  await new Promise((resolve) => setTimeout(resolve, delay));
}
