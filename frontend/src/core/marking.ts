/** A place that a reader marks in the picture, by mouse or by keys: first a cross that moves, then the mark. */
export interface Mark {
  readonly slice: number;
  readonly row: number;
  readonly column: number;
}

/** One of any number, with how sure the reader is of it, and the number of the reason. */
export interface PlacedMark extends Mark {
  readonly confidence: number;
  readonly reason: number;
}

/** What goes with an answer: one mark, or any number of them, as the study asks. */
export interface Marked {
  readonly mark: Mark | null;
  readonly marks: readonly PlacedMark[] | null;
}

export const UNMARKED: Marked = { mark: null, marks: null };

export interface PictureSize {
  readonly rows: number;
  readonly columns: number;
}

export interface MarkingPress {
  readonly key: string;
  readonly shiftKey: boolean;
}

export type MarkingAction =
  | { readonly kind: "begin" }
  | { readonly kind: "move"; readonly rows: number; readonly columns: number }
  | { readonly kind: "set" }
  | { readonly kind: "cancel" }
  | { readonly kind: "clear" };

const FAST = 10;
const MOVES: Readonly<Record<string, readonly [rows: number, columns: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

export const ARROWS: readonly string[] = Object.keys(MOVES);

/** Enter begins and sets, so that no key of a reader's own loses its meaning; without a moving cross arrows scroll. */
export function markingAction({ key, shiftKey }: MarkingPress, placing: boolean): MarkingAction | null {
  if (key === "Enter") return { kind: placing ? "set" : "begin" };
  if (key === "Delete") return { kind: "clear" };
  if (!placing) return null;
  if (key === "Escape") return { kind: "cancel" };
  const move = MOVES[key];
  if (move === undefined) return null;
  const step = shiftKey ? FAST : 1;
  return { kind: "move", rows: move[0] * step, columns: move[1] * step };
}

const within = (value: number, count: number): number => Math.max(0, Math.min(count - 1, value));

export const moved = (mark: Mark, by: { rows: number; columns: number }, { rows, columns }: PictureSize): Mark => ({
  ...mark,
  row: within(mark.row + by.rows, rows),
  column: within(mark.column + by.columns, columns),
});

/** The pixel under a point, whose coordinates begin at the corner of the first pixel; null beside the picture. */
export function pixelUnder(
  point: { readonly row: number; readonly column: number },
  slice: number,
  { rows, columns }: PictureSize,
): Mark | null {
  const [row, column] = [Math.floor(point.row), Math.floor(point.column)];
  return row >= 0 && column >= 0 && row < rows && column < columns ? { slice, row, column } : null;
}
