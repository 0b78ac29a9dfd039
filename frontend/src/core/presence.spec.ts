import { describe, expect, it } from "vitest";

import type { Channel, Message, Place } from "./presence";
import { Presence } from "./presence";

/** Pages of one browser: messages arrive when the test says so. */
class Browser {
  now = 0;
  private readonly ears = new Map<string, (message: Message) => void>();
  private under: (() => void)[] = [];

  open(page: string): { presence: Presence; places: Place[] } {
    const places: Place[] = [];
    const channel: Channel = {
      post: (message) => {
        for (const [other, hear] of [...this.ears])
          if (other !== page)
            this.under.push(() => {
              hear(message);
            });
      },
      listen: (hear) => this.ears.set(page, hear),
    };
    const presence = new Presence(
      page,
      channel,
      () => this.now,
      (place) => places.push(place),
    );
    presence.takeOver();
    return { presence, places };
  }

  deliver(): void {
    for (let message = this.under.shift(); message; message = this.under.shift()) message();
  }
}

describe("presence", () => {
  it("gives the sitting to the page that was opened last and tells the other", () => {
    const browser = new Browser();
    const one = browser.open("a");
    browser.deliver();
    browser.now = 5000;
    const two = browser.open("b");
    browser.deliver();
    expect([one.places, two.places]).toEqual([["here", "elsewhere"], ["here"]]);
  });

  it("lets exactly one stay of pages that open in the same moment", () => {
    const browser = new Browser();
    const pages = ["c", "a", "b"].map((name) => browser.open(name));
    browser.deliver();
    expect(pages.map(({ presence }) => presence.place)).toEqual(["elsewhere", "here", "elsewhere"]);
  });

  it("hands the sitting back when the reader wants it, or when the other page is closed", () => {
    const browser = new Browser();
    const one = browser.open("a");
    browser.now = 5000;
    const two = browser.open("b");
    browser.deliver();
    browser.now = 9000;
    one.presence.takeOver();
    browser.deliver();
    expect([one.presence.place, two.presence.place]).toEqual(["here", "elsewhere"]);
    one.presence.leave();
    browser.deliver();
    expect(two.places).toEqual(["here", "elsewhere", "here"]);
  });
});
