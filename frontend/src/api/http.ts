/** Requests to the own server, with messages that a person may read. */
import { classifyStatus, retryDelayMs } from "../core/retry";
import type { SendReply } from "../core/outbox";
import { words } from "../words";

const TIMEOUT_MS = 30_000;
const PIXEL_ATTEMPTS = 5;

export class HttpError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export function csrfToken(): string {
  return /(?:^|;\s*)csrftoken=([^;]*)/.exec(document.cookie)?.[1] ?? "";
}

async function request(url: string, init: RequestInit = {}): Promise<Response> {
  try {
    const response = await fetch(url, {
      credentials: "same-origin",
      ...init,
      // A line that has gone dead says nothing for minutes.
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(init.signal ? [init.signal] : [])]),
    });
    // The API never redirects; a redirect to the login page is an expired login.
    if (response.redirected) throw new HttpError(401, words.server.loggedOut);
    return response;
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw new HttpError(0, words.server.unreachable);
  }
}

async function failure(response: Response): Promise<HttpError> {
  return new HttpError(response.status, messageIn(await jsonOf(response), response.status));
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    // A proxy's page, or half an answer: the status tells what there is to tell.
    return null;
  }
}

/** Our errors say what happened in "detail"; field errors of forms are lists under their field's name. */
export function messageIn(body: unknown, status: number): string {
  if (typeof body === "object" && body !== null) {
    if ("detail" in body && typeof body.detail === "string") return body.detail;
    const texts = Object.values(body)
      .flat()
      .filter((value): value is string => typeof value === "string");
    if (texts.length > 0) return texts.join(" ");
  }
  if (status === 401 || status === 403) return words.server.notYours;
  if (status === 404) return words.server.gone;
  if (status >= 500) return words.server.trouble(status);
  return words.server.status(status);
}

export async function getJson<T>(url: string): Promise<T> {
  const response = await request(url, { headers: { Accept: "application/json" } });
  if (!response.ok) throw await failure(response);
  return (await response.json()) as T;
}

/** Raw pixels; passing troubles of the network are tried again a few times. */
export async function getBytes(url: string, signal?: AbortSignal, attempts = PIXEL_ATTEMPTS): Promise<ArrayBuffer> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const response = await request(url, signal ? { signal } : {});
      if (!response.ok) throw await failure(response);
      return await response.arrayBuffer();
    } catch (error) {
      signal?.throwIfAborted();
      const status = error instanceof HttpError ? error.status : 0;
      if (attempt + 1 >= attempts || classifyStatus(status) !== "transient") throw error;
      await new Promise((resolve) => setTimeout(resolve, retryDelayMs(attempt, Math.random)));
    }
  }
}

/** Never throws: the outbox decides what a failure means. The answer still leaves when the page is closed right after
the key press, which browsers grant to small bodies only. */
export function postJson(url: string, body: unknown): Promise<SendReply> {
  return post(url, body, true);
}

/** The same for a body of any size, from a page that stays. */
export function postLargeJson(url: string, body: unknown): Promise<SendReply> {
  return post(url, body, false);
}

async function post(url: string, body: unknown, keepalive: boolean): Promise<SendReply> {
  try {
    const response = await request(url, {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
      body: JSON.stringify(body),
      keepalive,
    });
    const reply = await jsonOf(response);
    return { status: response.status, body: reply, message: response.ok ? "" : messageIn(reply, response.status) };
  } catch (error) {
    if (error instanceof HttpError) return { status: error.status, body: null, message: error.message };
    throw error;
  }
}
