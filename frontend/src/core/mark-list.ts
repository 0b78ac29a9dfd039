/** Any number of marks in a case: each is placed, then asked how sure the reader is, and why it was set. */
import type { Mark, PlacedMark } from "./marking";

export interface OpenMark extends Mark {
  readonly confidence: number | null;
  readonly reason: number | null;
}

/** What is asked of the mark that is selected. */
export type Step = "confidence" | "reason";

export interface MarkList {
  readonly marks: readonly OpenMark[];
  readonly selected: number | null;
  readonly step: Step;
}

export const EMPTY: MarkList = { marks: [], selected: null, step: "confidence" };

/** A press so near to a mark means that one. */
const NEAR_PX = 2;

export const listOf = (marks: readonly PlacedMark[]): MarkList => ({ ...EMPTY, marks });

export const chosen = ({ marks, selected }: MarkList): OpenMark | null =>
  selected === null ? null : (marks[selected] ?? null);

const isWhole = (mark: OpenMark): mark is PlacedMark => mark.confidence !== null && mark.reason !== null;

/** All of them, once of each is said how sure and why; null before. */
export const wholeMarks = ({ marks }: MarkList): readonly PlacedMark[] | null => (marks.every(isWhole) ? marks : null);

export const select = (list: MarkList, selected: number | null): MarkList => ({
  ...list,
  selected,
  step: "confidence",
});

/** The first one of which something is still to be said. */
export const selectOpen = (list: MarkList): MarkList => {
  const open = list.marks.findIndex((mark) => !isWhole(mark));
  const reasonOnly = open >= 0 && list.marks[open]?.confidence !== null;
  return { ...list, selected: open < 0 ? null : open, step: reasonOnly ? "reason" : "confidence" };
};

/** From one to the next in their order, and from the last to none. */
export function selectNext(list: MarkList): MarkList {
  const next = list.selected === null ? 0 : list.selected + 1;
  return select(list, next < list.marks.length ? next : null);
}

const nearTo = (list: MarkList, { slice, row, column }: Mark, except: number | null): number =>
  list.marks.findIndex(
    (one, index) =>
      index !== except &&
      one.slice === slice &&
      Math.abs(one.row - row) <= NEAR_PX &&
      Math.abs(one.column - column) <= NEAR_PX,
  );

/** A new mark, or the one that stands there. */
export function place(list: MarkList, { slice, row, column }: Mark, most: number): MarkList {
  const known = nearTo(list, { slice, row, column }, null);
  if (known >= 0) return select(list, known);
  if (list.marks.length >= most) return list;
  const marks = [...list.marks, { slice, row, column, confidence: null, reason: null }];
  return select({ ...list, marks }, marks.length - 1);
}

/** The selected mark elsewhere; not onto another one. */
export function moveSelected(list: MarkList, { slice, row, column }: Mark): MarkList {
  const { selected } = list;
  if (selected === null || nearTo(list, { slice, row, column }, selected) >= 0) return list;
  return { ...list, marks: list.marks.map((one, n) => (n === selected ? { ...one, slice, row, column } : one)) };
}

/** What is asked is answered: after the confidence comes the reason, after the reason nothing. */
export function say(list: MarkList, value: number): MarkList {
  const { selected, step } = list;
  if (selected === null) return list;
  const marks = list.marks.map((one, n) => (n === selected ? { ...one, [step]: value } : one));
  return step === "confidence" ? { ...list, marks, step: "reason" } : selectOpen({ ...list, marks });
}

/** From the reason to the confidence, from there to no mark; one of which nothing was said goes with it. */
export function stepBack(list: MarkList): MarkList {
  const mark = chosen(list);
  if (mark === null) return list;
  if (list.step === "reason") return { ...list, step: "confidence" };
  return mark.confidence === null ? remove(list) : select(list, null);
}

/** The selected mark goes; without one the last. */
export function remove(list: MarkList): MarkList {
  const gone = list.selected ?? list.marks.length - 1;
  return select({ ...list, marks: list.marks.filter((_, index) => index !== gone) }, null);
}
