/** The words of this page's language. */
import { wordsOf } from "./core/words/words";

export const words = wordsOf(document.documentElement.lang);
