/** What a reader marks in a case: one place or any number, as the study asks. The room knows no more than this. */
import type { Answer, ReadingSession } from "../../api/contract";
import type { Marked } from "../../core/marking";
import { AnyPlaces } from "./any-places";
import type { CrosshairHooks } from "./crosshair";
import type { CaseDisplay } from "./display";
import { OnePlace } from "./one-place";
import type { Preferences } from "./preferences";
import { words } from "../../words";

type Study = ReadingSession["study"];

export interface Marking {
  readonly element: HTMLElement;
  readonly given: Marked;
  /** Another case, or one with the marks that it was given before. */
  start(given: Marked | null): void;
  /** Whether the answer can be given with the marks that stand there; else the reader is told what is missing. */
  allows(answer: Answer): boolean;
  /** Whether the key was one of marking. */
  pressed(event: KeyboardEvent): boolean;
}

/** Null where the study asks for no place. */
export function markingOf(
  { study }: ReadingSession,
  display: CaseDisplay,
  preferences: Preferences,
  hooks: CrosshairHooks,
): Marking | null {
  if (study.mark === null) return null;
  const { each, required_with: requiredWith } = study.mark;
  return each === null
    ? new OnePlace(requiredWith, display, hooks)
    : new AnyPlaces(each, requiredWith, display, preferences, hooks);
}

/** Lines for those who look up the keys. */
export const markingKeys = ({ mark }: Study): readonly (readonly [string, string])[] => [
  ...(mark === null
    ? []
    : ([
        [words.keys.click, words.marks.keyMark],
        [words.keys.enterArrowsEnter, words.marks.keyByKeys],
        [words.keys.delete, mark.each === null ? words.marks.keyClear : words.marks.keyRemove],
      ] as const)),
  ...(mark?.each ? ([[words.keys.end, words.marks.keyNext]] as const) : []),
];

/** So many keys choose how sure a reader is of a mark, or why it was set. */
export const mostMarkChoices = ({ mark }: Study): number =>
  Math.max(0, mark?.each?.levels.length ?? 0, mark?.each?.reasons.length ?? 0);
