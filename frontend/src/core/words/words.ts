/** Which words belong to a page's language. */
import { de } from "./de";
import { en } from "./en";
import type { Words } from "./en";

export type { Words };

/** `lang` as a page's element says it, such as "de" or "en-gb". */
export const wordsOf = (lang: string): Words => (/^de\b/i.test(lang) ? de : en);

/** With the decimal mark that the language writes. */
export const decimal = ({ language }: Words, value: number, digits: number): string =>
  new Intl.NumberFormat(language, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    useGrouping: false,
  }).format(value);
