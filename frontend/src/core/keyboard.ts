/** What a key means in the reading room. */
export interface Choice<Value> {
  readonly value: Value;
  readonly label: string;
  readonly key: string;
}

export type ReadingAction<Answer> =
  | { readonly kind: "answer"; readonly value: Answer }
  | { readonly kind: "confidence"; readonly value: number }
  | { readonly kind: "withdraw" }
  | { readonly kind: "back" }
  | { readonly kind: "return" }
  | { readonly kind: "home" }
  | { readonly kind: "reset" }
  | { readonly kind: "marker" }
  | { readonly kind: "scroll"; readonly slices: number }
  | { readonly kind: "zoom"; readonly factor: number };

export interface ReadingKeys<Answer> {
  readonly answers: readonly Choice<Answer>[];
  /** Asked for after the answer; null when the study does not ask. */
  readonly levels: readonly Choice<number>[] | null;
  readonly answerChosen: boolean;
}

const FIXED: Record<string, ReadingAction<never>> = {
  arrowdown: { kind: "scroll", slices: 1 },
  arrowright: { kind: "scroll", slices: 1 },
  arrowup: { kind: "scroll", slices: -1 },
  arrowleft: { kind: "scroll", slices: -1 },
  pagedown: { kind: "scroll", slices: 5 },
  pageup: { kind: "scroll", slices: -5 },
  "+": { kind: "zoom", factor: 1.25 },
  "=": { kind: "zoom", factor: 1.25 },
  "-": { kind: "zoom", factor: 0.8 },
  home: { kind: "home" },
  r: { kind: "reset" },
  m: { kind: "marker" },
  z: { kind: "back" },
  backspace: { kind: "back" },
  escape: { kind: "return" },
};

/** With an answer chosen, digits mean confidence and the way back leads to the answer, not to the case before. */
export function readingAction<Answer>(key: string, keys: ReadingKeys<Answer>): ReadingAction<Answer> | null {
  const pressed = key.toLowerCase();
  if (keys.answerChosen && keys.levels !== null) {
    const level = keys.levels.find((choice) => choice.key.toLowerCase() === pressed);
    if (level) return { kind: "confidence", value: level.value };
    if (pressed === "escape" || pressed === "backspace" || pressed === "z") return { kind: "withdraw" };
  } else {
    const answer = keys.answers.find((choice) => choice.key.toLowerCase() === pressed);
    if (answer) return { kind: "answer", value: answer.value };
  }
  return FIXED[pressed] ?? null;
}
