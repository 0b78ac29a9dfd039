import { describe, expect, it } from "vitest";

import { de } from "./de";
import { en } from "./en";
import { decimal, wordsOf } from "./words";

type Entry = readonly [path: string, english: unknown, german: unknown];

function* entries(english: object, german: object, path = ""): Generator<Entry> {
  for (const [name, one] of Object.entries(english)) {
    const other = (german as Record<string, unknown>)[name];
    if (typeof one === "object" && one !== null) yield* entries(one as object, other as object, `${path}${name}.`);
    else yield [path + name, one, other];
  }
}

const ALL = [...entries(en, de)];
/** Names, signs and what both languages write alike. */
const ALIKE =
  /^(?:keys\.names\.(?:Comma|Period)|keys\.enter|keys\.enterArrowsEnter|tools\.left\.zoom|room\.pause|keysPanel\.meanings\.pause)$/;

describe("words of a page", () => {
  it("are German where the page is, and English everywhere else", () => {
    expect(["de", "de-AT", "DE"].map(wordsOf)).toEqual([de, de, de]);
    expect(["en-gb", "", "den", "fr"].map(wordsOf)).toEqual([en, en, en, en]);
  });

  it.each(ALL.filter(([, one]) => typeof one === "string"))("%s is said in German", (path, english, german) => {
    expect(german).not.toBe("");
    if (!ALIKE.test(path) && path !== "language") expect(german).not.toBe(english);
  });

  it.each(ALL.filter(([, one]) => typeof one === "function"))("%s says what it is given", (_, english, german) => {
    const given = ["one-of-them", "two-of-them", "three-of-them"].slice(0, (english as () => string).length);
    for (const say of [english, german] as ((...all: string[]) => string)[]) {
      const said = say(...given);
      for (const each of given)
        if (english !== en.covers.notTaken || each !== "three-of-them") expect(said).toContain(each);
    }
  });

  it("have the decimal mark of their language", () => {
    expect(decimal(en, 12.345, 1)).toBe("12.3");
    expect(decimal(de, 12.345, 1)).toBe("12,3");
    expect(decimal(de, 12_000, 0)).toBe("12000");
  });
});
