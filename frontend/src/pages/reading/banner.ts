/** One line of news above the image. Several things may be worth saying; the most urgent is shown. */
import { element } from "../shared/dom";

const BY_URGENCY = ["elsewhere", "conflict", "login", "kept", "revisit", "preview"] as const;
export type Subject = (typeof BY_URGENCY)[number];

export class Banner {
  readonly element = element("div", { class: "room-banner", role: "status", hidden: true });
  private readonly news = new Map<Subject, (Node | string)[]>();

  say(subject: Subject, ...content: (Node | string)[]): void {
    if (content.length > 0) this.news.set(subject, content);
    else if (!this.news.delete(subject)) return;
    const urgent = BY_URGENCY.find((one) => this.news.has(one));
    this.element.hidden = urgent === undefined;
    this.element.dataset.subject = urgent ?? "";
    this.element.replaceChildren(...(urgent ? (this.news.get(urgent) ?? []) : []));
  }
}
