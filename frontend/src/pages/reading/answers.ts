/** The answers that a study takes: which key each has, and what it is called. */
import type { Answer, ReadingSession } from "../../api/contract";
import type { KeyedChoice } from "../../core/keyboard";
import { answerCommand, scaleCommand } from "../../core/keyboard";
import type { Command } from "../../core/keymap";

/** What a reader has decided, before being asked how sure. */
export interface Decision {
  readonly answer: Answer;
  /** On the scale of a study that has one. */
  readonly level: number | null;
  /** Of the image that is chosen, from 0 on the left; of no account where one image is shown. */
  readonly side?: number | null;
}

export interface NamedChoice extends KeyedChoice<Decision> {
  readonly name: string;
}

const sideOf = (one: Decision | null): number | null => (one?.answer === "chosen" ? (one.side ?? null) : null);

export const sameDecision = (one: Decision | null, other: Decision | null): boolean =>
  one?.answer === other?.answer && (one?.level ?? null) === (other?.level ?? null) && sideOf(one) === sideOf(other);

export const choicesOf = ({ study }: ReadingSession): NamedChoice[] =>
  study.answers.map(({ value: answer, level, side, label }, index) => ({
    value: { answer, level, side: side ?? null },
    name: [...(level === null ? [] : [String(level)]), label].filter(Boolean).join(" "),
    command: commandOf(answer, level, index),
  }));

/** Answers to one question, two of them; levels of a scale and images have a digit each. */
function commandOf(answer: Answer, level: number | null, index: number): Command {
  if (answer === "cannot_tell") return "cannotTell";
  return level === null && answer !== "chosen" ? answerCommand(index) : scaleCommand(index);
}

/** An answer as its button calls it; a number without a button is its own name. */
export function decisionName(session: ReadingSession, decision: Decision): string {
  const choice = choicesOf(session).find(({ value }) => sameDecision(value, decision));
  return choice?.name ?? String(decision.level ?? decision.answer);
}
