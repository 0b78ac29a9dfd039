/** What the reading room says in place of an image. */
import type { ReadingSession } from "../../api/contract";
import { levelCommand } from "../../core/keyboard";
import type { Command } from "../../core/keymap";
import type { GivenAnswer } from "../../core/judgement";
import type { OutboxEntry, OutboxStatus } from "../../core/outbox";
import type { ServerView } from "../../core/sitting";
import { button, element } from "../shared/dom";
import type { Decision } from "./answers";
import { choicesOf, decisionName } from "./answers";
import { markingKeys } from "./marking";
import { words } from "../../words";

export const paragraphs = (text: string): HTMLElement[] =>
  text
    .split(/\n+/)
    .filter((line) => line.trim() !== "")
    .map((line) => element("p", {}, line));

export function welcomeWords(
  { study }: ReadingSession,
  practiceUrl: string | undefined,
  begin: () => void,
): HTMLElement[] {
  const told = [element("h2", {}, study.title), ...paragraphs(study.instructions)];
  const start = primary(words.covers.start, words.keys.enter, begin);
  if (practiceUrl === undefined) return [...told, start];
  const practise = element("a", { class: "button", href: practiceUrl }, words.covers.practise);
  return [...told, element("p", {}, words.covers.mayPractise), element("div", { class: "room-row" }, start, practise)];
}

/** What the keys do, and what is meant by being sure, on cases that count nowhere. */
export function practiceWords(
  session: ReadingSession,
  cap: (command: Command) => HTMLElement,
  begin: () => void,
): HTMLElement[] {
  const { study } = session;
  const lines = element("dl", { class: "room-keys" });
  const line = (keys: readonly (Node | string)[], meaning: string): void => {
    lines.append(element("dt", {}, ...keys), element("dd", {}, meaning));
  };
  line([words.keys.wheelArrows], words.covers.throughSlices);
  line([words.keys.drag], words.covers.leftButton);
  if (study.scale !== null) {
    line([words.keys.digitsArrows], words.covers.theNumber(study.scale.lowest, study.scale.highest));
    line([words.keys.enter], words.covers.givesIt);
  }
  for (const { command, name } of choicesOf(session)) line([cap(command)], words.covers.theAnswer(name));
  study.confidence?.levels.forEach((level, index) => {
    line([cap(levelCommand(index))], words.covers.howSure(level.label));
  });
  for (const [keys, meaning] of markingKeys(study)) line([keys], meaning);
  line([cap("back")], words.covers.stepBack);
  line([cap("pause")], words.covers.pause);
  return [
    element("h2", {}, words.covers.practice),
    element("p", {}, words.covers.practiceIs),
    lines,
    primary(words.covers.begin, words.keys.enter, begin),
  ];
}

const practisedWords = (roomUrl: string): HTMLElement[] => [
  element("h2", {}, words.covers.practised),
  element("p", {}, words.covers.notStored),
  element(
    "div",
    { class: "room-row" },
    element("a", { class: "button primary", href: roomUrl }, words.covers.toReading),
    button(words.covers.practiseAgain, { class: "button" }, () => {
      window.location.reload();
    }),
  ),
];

/** Nothing more is to be read here. */
export const endWords = (
  stage: "closed" | "finished",
  server: ServerView,
  session: ReadingSession,
  answers: OutboxStatus | null,
  telling: { readonly leaveUrl: string; atTheEnd(): HTMLElement[] },
): HTMLElement[] => {
  const missing = (answers?.kept.length ?? 0) + (answers?.conflicts.length ?? 0);
  const ofOthers = answers?.ofOthers ?? 0;
  return [
    ...(stage === "closed" ? closedWords(missing) : finishedWords(server, session, missing, telling.leaveUrl)),
    ...(stage === "finished" && missing === 0 ? telling.atTheEnd() : []),
    ...(ofOthers === 0 ? [] : [element("p", {}, words.covers.ofOthers(ofOthers))]),
  ];
};

function finishedWords(
  server: ServerView,
  { preview, practice }: ReadingSession,
  missing: number,
  leaveUrl: string,
): HTMLElement[] {
  const { total } = server.progress;
  if (practice) return practisedWords(leaveUrl);
  if (preview)
    return [
      thanks(),
      element("p", {}, words.covers.previewEnds),
      element("a", { class: "button", href: leaveUrl }, words.covers.backToStudy),
    ];
  if (missing > 0) {
    return [element("h2", {}, words.covers.nearlyDone), element("p", {}, words.covers.missing(total, missing))];
  }
  return [
    thanks(),
    element("p", {}, words.covers.finished(total)),
    element("a", { class: "button", href: leaveUrl }, words.covers.toMyReading),
  ];
}

const thanks = (): HTMLElement => element("h2", {}, words.covers.thanks);

function closedWords(missing: number): HTMLElement[] {
  const rest = missing === 0 ? words.covers.beforeIsSaved : words.covers.notInTime(missing);
  return [element("h2", {}, words.covers.closed), element("p", {}, words.covers.takesNoMore(rest))];
}

/** Nothing to show at the moment: either all is answered, or what comes next can't be loaded. */
export function savingWords({ progress }: ServerView, done: number, waiting: number): HTMLElement[] {
  const text = done >= progress.total ? words.covers.savingLast : words.covers.savingBefore(waiting);
  return [element("p", {}, text)];
}

export const pausedWords = (resume: () => void): HTMLElement[] => [
  element("h2", {}, words.covers.paused),
  element("p", {}, words.covers.timeStands),
  primary(words.covers.goOn, "P", resume),
];

/** Nobody has moved for long: the next person at this computer may be another one. */
export const lockedWords = (reader: string, leaveUrl: string, resume: () => void): HTMLElement[] => [
  element("h2", {}, words.covers.stillYou(reader)),
  element("p", {}, words.covers.nothingMoved),
  element("p", {}, words.covers.noPassword),
  primary(words.covers.goOnAs(reader), "P", resume),
  element("p", {}, element("a", { href: leaveUrl }, words.covers.somebodyElse), words.covers.leave),
];

export const elsewhereWords = (takeOver: () => void): HTMLElement[] => [
  element("h2", {}, words.covers.elsewhere),
  element("p", {}, words.covers.onePage),
  primary(words.covers.readHere, words.keys.enter, takeOver),
];

export function brokenWords(reason: string): HTMLElement[] {
  return [
    element("h2", {}, words.covers.broken),
    element("p", {}, words.covers.brokenBecause(reason)),
    primary(words.covers.loadAgain, words.keys.enter, () => {
      window.location.reload();
    }),
  ];
}

export function primary(text: string, key: string, act: () => void): HTMLButtonElement {
  const made = button(text, { class: "button primary" }, act);
  made.append(" ", element("kbd", {}, key));
  return made;
}

/** Nothing while the case is read for the first time. */
export function revisitWords(session: ReadingSession, again: boolean, given: Decision | undefined): string[] {
  return again ? [words.covers.revisit(given && decisionName(session, given))] : [];
}

export function ringWords(slice: number | null, mode: ReadingSession["display"]["mode"]): string {
  if (slice === null) return "";
  return mode === "stack" ? words.covers.ringOnSlice(slice + 1) : words.covers.ringShows;
}

export interface Named extends Decision {
  readonly confidence: number | null;
}

/** An answer as its buttons call it. */
export function answerName(session: ReadingSession, given: Named): string {
  const name = decisionName(session, given);
  const sure = session.study.confidence?.levels.find((one) => one.value === given.confidence)?.label;
  return sure === undefined ? name : `${name} (${sure})`;
}

/** Both answers of one case, and the choice between them. */
export function conflictWords(
  session: ReadingSession,
  entry: OutboxEntry,
  choose: (mine: boolean) => void,
): (Node | string)[] {
  const here = answerName(session, entry.body as unknown as Named);
  const keep = (text: string, mine: boolean): HTMLElement =>
    button(text, { class: "button" }, () => {
      choose(mine);
    });
  if (entry.current === null)
    return [words.covers.changed(here), keep(words.covers.take(here), true), " ", keep(words.covers.giveUp, false)];
  const there = answerName(session, entry.current as Named);
  return [
    words.covers.twice(there, timeOf(entry.current), here),
    keep(words.covers.keep(there), false),
    " ",
    keep(words.covers.take(here), true),
  ];
}

const timeOf = ({ answered_at }: GivenAnswer): string =>
  new Date(answered_at).toLocaleTimeString(words.language, { hour: "2-digit", minute: "2-digit" });

export function keptWords(kept: OutboxStatus["kept"]): (Node | string)[] {
  const reasons = [...new Set(kept.map((entry) => entry.message))].join(" ");
  const copies = JSON.stringify(
    kept.map((entry) => entry.body),
    null,
    1,
  );
  const details = element(
    "details",
    {},
    element("summary", {}, words.covers.show),
    element("pre", { tabindex: 0 }, copies),
  );
  const held = kept.some((entry) => entry.state === "held");
  return [words.covers.notTaken(kept.length, reasons, held), details];
}
