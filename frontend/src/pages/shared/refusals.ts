/** What htmx leaves unsaid: a request that the server refused. The form stays as it was filled in. */
import { csrfToken, messageIn } from "../../api/http";
import { element } from "./dom";
import { loginLink } from "./login";
import { words } from "../../words";

interface Told {
  readonly elt: Element;
  readonly xhr: XMLHttpRequest;
}

export function tellRefusals(): void {
  listen("htmx:configRequest", (event) => {
    // Somebody who has logged in again in another tab has a new token.
    const { headers } = (event as CustomEvent<{ headers: Record<string, string> }>).detail;
    const token = csrfToken();
    if (token) headers["X-CSRFToken"] = token;
  });
  listen("htmx:afterRequest", (event) => {
    const { elt, xhr } = (event as CustomEvent<Told>).detail;
    const place = placeOf(elt);
    const told = place.querySelector(":scope > [data-refusal]");
    const said = wordsFor(xhr.status, place instanceof HTMLFormElement);
    const telling = element("p", { class: "message error", role: "alert", "data-refusal": true }, ...said);
    // What renews itself every second must not be told every second.
    if (told?.textContent === telling.textContent) return;
    told?.remove();
    if (said.length > 0) place.prepend(telling);
  });
}

function listen(name: string, hear: (event: Event) => void): void {
  document.body.addEventListener(name, hear);
}

/** A form tells its own refusal; parts of a page that renew themselves share one place at its top. */
function placeOf(asking: Element): Element {
  return asking.closest("form") ?? document.querySelector("main") ?? document.body;
}

function wordsFor(status: number, sent: boolean): (Node | string)[] {
  if (status === 401) {
    return sent
      ? [words.login.notSent, loginLink(), words.login.sendOnceMore]
      : [words.login.notNew, loginLink(), words.login.goesOn];
  }
  if (!sent || (status >= 200 && status < 400)) return [];
  if (status === 0) return [words.server.notSent];
  if (status === 403) return [words.server.refused];
  return [messageIn(null, status)];
}
