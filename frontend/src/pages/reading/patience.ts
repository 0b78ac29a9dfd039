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

async function pause(layout: ReadingLayout, attempt: number, error: unknown): Promise<void> {
  const loggedOut = classifyStatus(error instanceof HttpError ? error.status : 0) === "logged-out";
  if (loggedOut) {
    layout.state("logged-out");
    layout.askForLogin("");
    layout.coverWith(element("p", {}, "Waiting for your login."));
  } else {
    const message = error instanceof Error ? error.message : String(error);
    layout.state("error");
    layout.coverWith(element("p", {}, `${message} This page tries again by itself.`));
  }
  const delay = loggedOut ? LOGIN_CHECK_MS : retryDelayMs(attempt, Math.random);
  await new Promise((resolve) => setTimeout(resolve, delay));
}
