/** A whole number between two limits, typed digit by digit, or stepped, or set at once. */
export interface Limits {
  readonly lowest: number;
  readonly highest: number;
}

export interface NumberEntry {
  readonly value: number | null;
  /** Whether a next digit goes on with the number. */
  readonly typing: boolean;
}

/** What somebody does with keys. */
export type NumberChange =
  | { readonly kind: "digit"; readonly digit: number }
  | { readonly kind: "step"; readonly by: number }
  | { readonly kind: "erase" };

export function changed(entry: NumberEntry, change: NumberChange, limits: Limits): NumberEntry {
  if (change.kind === "digit") return typed(entry, change.digit, limits);
  return change.kind === "step" ? stepped(entry, change.by, limits) : erased(entry);
}

export const NOTHING: NumberEntry = { value: null, typing: false };

export const set = (value: number): NumberEntry => ({ value, typing: false });

/** A digit that the number has no room for begins another one. */
export function typed({ value, typing }: NumberEntry, digit: number, { highest }: Limits): NumberEntry {
  const longer = typing ? 10 * (value ?? 0) + digit : digit;
  return { value: longer > highest ? digit : longer, typing: true };
}

export function stepped({ value }: NumberEntry, by: number, { lowest, highest }: Limits): NumberEntry {
  if (value === null) return set(Math.round((lowest + highest) / 2));
  return set(Math.min(highest, Math.max(lowest, value + by)));
}

export function erased({ value, typing }: NumberEntry): NumberEntry {
  return typing && value !== null && value >= 10 ? { value: Math.floor(value / 10), typing } : NOTHING;
}
