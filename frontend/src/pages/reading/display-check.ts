/** Does this screen tell greys apart near black and near white? A square hides in one corner of a field. */
import type { ReadingSession } from "../../api/contract";
import { postJson } from "../../api/http";
import { placeOf } from "../../core/keymap";
import { button, element } from "../shared/dom";

type Asked = NonNullable<ReadingSession["display_check"]>;
type Step = Asked["steps"][number];
type Screen = NonNullable<Asked["last"]>["screen"];

const CORNERS = ["Top left", "Top right", "Bottom left", "Bottom right"] as const;

export interface CheckParts {
  readonly url: string;
  cover(...content: HTMLElement[]): void;
  focusCover(): void;
  readonly random: () => number;
}

/** The check of an earlier visit counts for the same screen at the same size. */
export function isNeeded(asked: ReadingSession["display_check"]): asked is Asked {
  return asked !== null && !(asked.last?.passed === true && sameScreen(asked.last.screen, thisScreen()));
}

/** Resolves when reading may begin: the check is passed, or the study only advises it. */
export async function checkDisplay(asked: Asked, parts: CheckParts): Promise<void> {
  const required = asked.policy === "require";
  let words = introduction(required);
  for (;;) {
    if (!(await choice(parts, words, "Check this screen", required ? null : "Skip it"))) return;
    const steps: (Step & { found: boolean })[] = [];
    for (const step of asked.steps) steps.push({ ...step, found: await finds(step, parts) });
    const { status, body } = await postJson(parts.url, { steps, screen: thisScreen() });
    const passed = status === 201 ? (body as { passed: boolean }).passed : null;
    if (passed === true || (passed === null && !required)) return;
    words = passed === null ? unsent() : notPassed(required);
  }
}

function thisScreen(): Screen {
  return {
    screen_px: [screen.width, screen.height],
    viewport_px: [window.innerWidth, window.innerHeight],
    device_pixel_ratio: window.devicePixelRatio,
    colour_depth: screen.colorDepth,
  };
}

const sameScreen = (one: Screen, other: Screen): boolean =>
  String(one.screen_px) === String(other.screen_px) && one.device_pixel_ratio === other.device_pixel_ratio;

function finds(step: Step, parts: CheckParts): Promise<boolean> {
  const corner = Math.floor(parts.random() * CORNERS.length);
  const field = element("div", { class: "check-field", role: "img", "aria-label": "A field with one square in it" });
  const square = element("div", { class: "check-square", "data-corner": corner });
  field.style.setProperty("background-color", grey(step.ground));
  square.style.setProperty("background-color", grey(step.grey));
  field.append(square);
  return new Promise((resolve) => {
    const done = (answer: number | null): void => {
      document.removeEventListener("keydown", pressed);
      resolve(answer === corner);
    };
    const pressed = (event: KeyboardEvent): void => {
      const digit = /^Digit([0-4])$/.exec(placeOf(event))?.[1];
      if (digit === undefined || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      done(digit === "0" ? null : Number(digit) - 1);
    };
    document.addEventListener("keydown", pressed);
    const choices = CORNERS.map((name, index) =>
      keyed(name, String(index + 1), () => {
        done(index);
      }),
    );
    const none = keyed("I see none", "0", () => {
      done(null);
    });
    parts.cover(
      element("h2", {}, "In which corner is the square?"),
      field,
      element("div", { class: "check-corners", role: "group", "aria-label": "Corner" }, ...choices, none),
    );
  });
}

/** True for the first button, false for the second. */
function choice(parts: CheckParts, words: HTMLElement[], first: string, second: string | null): Promise<boolean> {
  return new Promise((resolve) => {
    const begin = button(first, { class: "button primary" }, () => {
      resolve(true);
    });
    begin.append(" ", element("kbd", {}, "Enter"));
    const buttons = [begin];
    if (second !== null)
      buttons.push(
        button(second, { class: "button" }, () => {
          resolve(false);
        }),
      );
    parts.cover(...words, element("div", { class: "room-row" }, ...buttons));
    parts.focusCover();
  });
}

const introduction = (required: boolean): HTMLElement[] => [
  element("h2", {}, "Is this screen good enough?"),
  element(
    "p",
    {},
    "Four fields, dark and bright, each with a square that is hardly lighter or darker. Say in which corner it is. " +
      "It takes a quarter of a minute, with the room as dark and the screen as bright as you will read.",
  ),
  element(
    "p",
    {},
    required
      ? "This study asks for it before you read. What you found and the size of your screen are kept with your answers."
      : "What you found and the size of your screen are kept with your answers. You may go on without it.",
  ),
];

const notPassed = (required: boolean): HTMLElement[] => [
  element("h2", {}, "Some of the squares were not found"),
  element(
    "p",
    {},
    "Dark or bright livers may look flat on this screen. Turn up its brightness, switch off night colours and power " +
      "saving, keep light from falling on it, and try again; or read at another screen.",
  ),
  element(
    "p",
    {},
    required ? "This study is read only after a check that was passed." : "You may also go on as it is; it is noted.",
  ),
];

const unsent = (): HTMLElement[] => [
  element("h2", {}, "The check could not be stored"),
  element("p", {}, "The server did not answer as expected. Look whether the network is there and try again."),
];

function keyed(text: string, key: string, act: () => void): HTMLButtonElement {
  const made = button(`${text} `, { class: "button", "aria-keyshortcuts": key }, act);
  made.append(element("kbd", {}, key));
  return made;
}

const grey = (level: number): string => `rgb(${level} ${level} ${level})`;
