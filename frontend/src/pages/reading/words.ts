/** What the reading room says in place of an image. */
import type { ReadingSession } from "../../api/contract";
import { levelCommand } from "../../core/keyboard";
import type { Command } from "../../core/keymap";
import type { GivenAnswer } from "../../core/judgement";
import type { OutboxEntry, OutboxStatus } from "../../core/outbox";
import { counted } from "../../core/saved";
import type { ServerView } from "../../core/sitting";
import { button, element } from "../shared/dom";
import type { Decision } from "./answers";
import { choicesOf, decisionName } from "./answers";
import { markingKeys } from "./marking";

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
  const words = [element("h2", {}, study.title), ...paragraphs(study.instructions)];
  const start = primary("Start reading", "Enter", begin);
  if (practiceUrl === undefined) return [...words, start];
  const practise = element("a", { class: "button", href: practiceUrl }, "Practise first");
  return [
    ...words,
    element("p", {}, "You can try keys and mouse on a few practice cases first. Nothing of it is stored."),
    element("div", { class: "room-row" }, start, practise),
  ];
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
  line(["Wheel, ↑ ↓"], "through the slices; a single image: zoom");
  line(["Drag"], "what the left button is set to: the window, at first");
  if (study.scale !== null) {
    line(["Digits, ← →"], `the number, ${study.scale.lowest} to ${study.scale.highest}`);
    line(["Enter"], "gives it as the answer");
  }
  for (const { command, name } of choicesOf(session)) line([cap(command)], `the answer “${name}”`);
  study.confidence?.levels.forEach((level, index) => {
    line([cap(levelCommand(index))], `after the answer, how sure you are: “${level.label}”`);
  });
  for (const [keys, meaning] of markingKeys(study)) line([keys], meaning);
  line([cap("back")], "one step back");
  line([cap("pause")], "pause: the time of the case stands still");
  return [
    element("h2", {}, "Practice"),
    element(
      "p",
      {},
      "A few cases to try, which belong to no study. Nothing you answer is stored or judged; there is no right answer " +
        "here. All keys can be changed under “Keys and mouse”.",
    ),
    lines,
    primary("Begin", "Enter", begin),
  ];
}

const practisedWords = (roomUrl: string): HTMLElement[] => [
  element("h2", {}, "That was the practice"),
  element("p", {}, "Nothing of it was stored. Keys that you changed stay as they are in this browser."),
  element(
    "div",
    { class: "room-row" },
    element("a", { class: "button primary", href: roomUrl }, "To the reading"),
    button("Practise again", { class: "button" }, () => {
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
  leaveUrl: string,
): HTMLElement[] => {
  const missing = (answers?.kept.length ?? 0) + (answers?.conflicts.length ?? 0);
  const ofOthers = answers?.ofOthers ?? 0;
  return [
    ...(stage === "closed" ? closedWords(missing) : finishedWords(server, session, missing, leaveUrl)),
    ...(ofOthers === 0 ? [] : [ofOthersWords(ofOthers)]),
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
      element("p", {}, "This is the end of the preview. Nothing was stored."),
      element("a", { class: "button", href: leaveUrl }, "Back to the study"),
    ];
  if (missing > 0) {
    return [
      element("h2", {}, "Nearly done"),
      element("p", {}, `All ${total} cases are read, but ${counted(missing, "answer")} did not get there; see above.`),
    ];
  }
  return [
    thanks(),
    element("p", {}, `All ${total} cases are read and every answer to them is saved. You can close this page.`),
    element("a", { class: "button", href: leaveUrl }, "To my reading"),
  ];
}

const thanks = (): HTMLElement => element("h2", {}, "Thank you");

const ofOthersWords = (count: number): HTMLElement =>
  element(
    "p",
    {},
    `${counted(count, "answer")} of yours to another reading ${count === 1 ? "is" : "are"} kept in this browser until ` +
      "the server has taken what is kept, and offered again whenever you read here. If this stays so, tell the " +
      "coordinator of that study.",
  );

function closedWords(missing: number): HTMLElement[] {
  const rest =
    missing === 0
      ? "What you had answered before is saved."
      : `${counted(missing, "answer")} did not get there in time. They stay in this browser and are offered again ` +
        "when the study is opened again; tell its coordinator.";
  return [
    element("h2", {}, "This reading is closed"),
    element("p", {}, `The study takes no more answers from you. ${rest}`),
  ];
}

/** Nothing to show at the moment: either all is answered, or what comes next can't be loaded. */
export function savingWords({ progress }: ServerView, done: number, waiting: number): HTMLElement[] {
  const text =
    done >= progress.total
      ? "Saving your last answers. Please keep this page open."
      : `The next cases can't be loaded before ${counted(waiting, "answer")} ${waiting === 1 ? "has" : "have"} been ` +
        "saved. Please keep this page open; it goes on by itself.";
  return [element("p", {}, text)];
}

export const pausedWords = (resume: () => void): HTMLElement[] => [
  element("h2", {}, "Paused"),
  element("p", {}, "The time of this case stands still, and everything you answered is kept."),
  primary("Go on", "P", resume),
];

/** Nobody has moved for long: the next person at this computer may be another one. */
export const lockedWords = (reader: string, leaveUrl: string, resume: () => void): HTMLElement[] => [
  element("h2", {}, `Are you still ${reader}?`),
  element("p", {}, "Nothing has moved here for a while, so the image is covered and the time stands still."),
  element(
    "p",
    {},
    "Going on asks for no password: the login is still yours. Who leaves this computer to others should leave this " +
      "reading and log out.",
  ),
  primary(`Go on as ${reader}`, "P", resume),
  element("p", {}, element("a", { href: leaveUrl }, "I am somebody else"), ": leave this reading."),
];

export const elsewhereWords = (takeOver: () => void): HTMLElement[] => [
  element("h2", {}, "This reading is open in another tab"),
  element("p", {}, "One page at a time takes your answers, so that none replaces another unseen."),
  primary("Read here instead", "Enter", takeOver),
];

export function brokenWords(reason: string): HTMLElement[] {
  return [
    element("h2", {}, "The reading room could not be opened"),
    element("p", {}, `${reason} What you answered before is kept.`),
    primary("Load again", "Enter", () => {
      window.location.reload();
    }),
  ];
}

function primary(text: string, key: string, act: () => void): HTMLButtonElement {
  const made = button(text, { class: "button primary" }, act);
  made.append(" ", element("kbd", {}, key));
  return made;
}

export function revisitWords(answerBefore: string | undefined): string {
  const before = answerBefore === undefined ? "" : ` (your answer was ${answerBefore})`;
  return (
    `You are looking at the previous case again${before}. ` +
    "A new answer takes the place of the earlier one; Esc leaves it as it is."
  );
}

export function ringWords(slice: number | null, mode: ReadingSession["display"]["mode"]): string {
  if (slice === null) return "";
  return mode === "stack" ? `The ring is on slice ${slice + 1}.` : "The ring shows the place.";
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
    return [
      `You changed an answer to ${here}, but the earlier one never reached the server. `,
      keep(`Take ${here}`, true),
      " ",
      keep("Give it up", false),
    ];
  const there = answerName(session, entry.current as Named);
  return [
    `You answered one case twice: ${there} somewhere else at ${timeOf(entry.current)}, ${here} in this browser. Which one counts? `,
    keep(`Keep ${there}`, false),
    " ",
    keep(`Take ${here}`, true),
  ];
}

const timeOf = ({ answered_at }: GivenAnswer): string =>
  new Date(answered_at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

export function keptWords(kept: OutboxStatus["kept"]): (Node | string)[] {
  const reasons = [...new Set(kept.map((entry) => entry.message))].join(" ");
  const copies = JSON.stringify(
    kept.map((entry) => entry.body),
    null,
    1,
  );
  const details = element("details", {}, element("summary", {}, "Show"), element("pre", { tabindex: 0 }, copies));
  const held = kept.some((entry) => entry.state === "held") ? " They are offered again while this page is open." : "";
  return [
    `The server did not take ${counted(kept.length, "answer")}: ${reasons} A copy is kept in this browser.${held} `,
    details,
  ];
}
