/** What the cases were that the reader has answered, where the study tells it: after each, or after the last one. */
import type { ReadingSession, Told, ToldCase } from "../../api/contract";
import { HttpError, postJson } from "../../api/http";
import { button, element } from "../shared/dom";
import { decisionName } from "./answers";
import { presentationUrl } from "./cases";
import type { ReadingLayout } from "./layout";
import { untilAnswered } from "./patience";
import { primary } from "./words";
import { words } from "../../words";

const REFUSED = 409;

export class Telling {
  constructor(
    private readonly session: ReadingSession,
    private readonly layout: ReadingLayout,
    private readonly sessionUrl: string,
    /** All answers stand from now on. */
    private readonly toldOfAll: () => void,
  ) {}

  private get feedback(): ReadingSession["study"]["feedback"] {
    return this.session.study.feedback;
  }

  get leaveUrl(): string {
    return this.layout.leaveUrl;
  }

  /** An answer must be with the server before its case is told. */
  get afterEach(): boolean {
    return this.feedback === "case";
  }

  /** Resolves when the reader has seen what it was; at once where the study tells nothing of single cases. */
  async ofCase(token: string): Promise<void> {
    if (!this.afterEach) return;
    const told = await this.ask<ToldCase>(`${presentationUrl(token)}feedback/`);
    if (told === null) return;
    this.layout.coverWith();
    this.layout.state("told");
    await this.seen(told);
  }

  private seen(told: ToldCase): Promise<void> {
    const listening = new AbortController();
    return new Promise<void>((resolve) => {
      const next = primary(words.told.goOn, words.keys.enter, resolve);
      this.layout.told.replaceChildren(
        element("p", { class: "room-told-judged", "data-right": String(told.right) }, judgedWords(told)),
        element("p", { class: "room-told-kind" }, told.was),
        ...(told.hit === null ? [] : [element("p", {}, told.hit ? words.told.hit : words.told.missed)]),
        next,
      );
      next.focus();
      // Whoever has looked at the image again, and clicked into it, goes on by the same key.
      const pressed = (event: KeyboardEvent): void => {
        if (event.key === "Enter" && !(event.target as HTMLElement).closest("button, a, summary")) resolve();
      };
      document.addEventListener("keydown", pressed, { signal: listening.signal });
    }).finally(() => {
      listening.abort();
      this.layout.told.replaceChildren();
    });
  }

  /** What stands below the thanks. */
  atTheEnd(): HTMLElement[] {
    if (this.feedback === "none") return [];
    const show = button(words.told.show, { class: "button primary" }, () => void this.showAll());
    return [element("p", {}, this.afterEach ? words.told.tellNobody : words.told.mayBeShown), show];
  }

  private async showAll(): Promise<void> {
    const told = await this.ask<Told>(`${this.sessionUrl}feedback/`);
    if (told === null) return;
    this.toldOfAll();
    this.layout.state("finished");
    this.layout.coverWith(...summaryWords(this.session, told, this.leaveUrl));
  }

  /** Null where the server tells nothing now: the study was closed meanwhile, or another answer stands in the way. */
  private ask<T>(url: string): Promise<T | null> {
    return untilAnswered(this.layout, async () => {
      const { status, body, message } = await postJson(url, {});
      if (status === REFUSED) return null;
      if (status !== 200) throw new HttpError(status, message);
      return body as T;
    });
  }
}

function judgedWords({ right }: ToldCase): string {
  if (right === null) return words.told.neither;
  return right ? words.told.right : words.told.wrong;
}

function summaryWords(session: ReadingSession, { cases, right, judged }: Told, leaveUrl: string): HTMLElement[] {
  const { ofCase, yourAnswer, was, judged: column } = words.told;
  const head = element(
    "tr",
    {},
    ...[ofCase, yourAnswer, was, column].map((name) => element("th", { scope: "col" }, name)),
  );
  const rows = cases.map((told) =>
    element(
      "tr",
      { "data-right": String(told.right) },
      element("th", { scope: "row" }, String(told.position)),
      ...[decisionName(session, told), told.was, judgedWords(told)].map((text) => element("td", {}, text)),
    ),
  );
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  return [
    element("h2", {}, words.told.title),
    element("p", {}, words.told.sum(right, judged)),
    element("p", {}, words.told.tellNobody),
    element("div", { class: "room-told-all", tabindex: 0, role: "region", "aria-label": words.told.title }, table),
    element("a", { class: "button", href: leaveUrl }, words.covers.toMyReading),
  ];
}
