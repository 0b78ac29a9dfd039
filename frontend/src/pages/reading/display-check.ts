/** Does this screen tell greys apart near black and near white? A square hides in one corner of a field. */
import type { ReadingSession } from "../../api/contract";
import { postJson } from "../../api/http";
import { placeOf } from "../../core/keymap";
import { button, element } from "../shared/dom";
import { words } from "../../words";

type Asked = NonNullable<ReadingSession["display_check"]>;
type Step = Asked["steps"][number];
type Screen = NonNullable<Asked["last"]>["screen"];

const CORNERS = words.display.corners;

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
  let said = introduction(required);
  for (;;) {
    if (!(await choice(parts, said, words.display.check, required ? null : words.display.skip))) return;
    const steps: (Step & { found: boolean })[] = [];
    for (const step of asked.steps) steps.push({ ...step, found: await finds(step, parts) });
    const { status, body } = await postJson(parts.url, { steps, screen: thisScreen() });
    const passed = status === 201 ? (body as { passed: boolean }).passed : null;
    if (passed === true || (passed === null && !required)) return;
    said = passed === null ? unsent() : notPassed(required);
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
  const field = element("div", { class: "check-field", role: "img", "aria-label": words.display.field });
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
    const none = keyed(words.display.none, "0", () => {
      done(null);
    });
    parts.cover(
      element("h2", {}, words.display.where),
      field,
      element("div", { class: "check-corners", role: "group", "aria-label": words.display.corner }, ...choices, none),
    );
  });
}

/** True for the first button, false for the second. */
function choice(parts: CheckParts, said: HTMLElement[], first: string, second: string | null): Promise<boolean> {
  return new Promise((resolve) => {
    const begin = button(first, { class: "button primary" }, () => {
      resolve(true);
    });
    begin.append(" ", element("kbd", {}, words.keys.enter));
    const buttons = [begin];
    if (second !== null)
      buttons.push(
        button(second, { class: "button" }, () => {
          resolve(false);
        }),
      );
    parts.cover(...said, element("div", { class: "room-row" }, ...buttons));
    parts.focusCover();
  });
}

const introduction = (required: boolean): HTMLElement[] => [
  element("h2", {}, words.display.goodEnough),
  element("p", {}, words.display.fourFields),
  element("p", {}, required ? words.display.required : words.display.advised),
];

const notPassed = (required: boolean): HTMLElement[] => [
  element("h2", {}, words.display.notFound),
  element("p", {}, words.display.flat),
  element("p", {}, required ? words.display.onlyPassed : words.display.goOnNoted),
];

const unsent = (): HTMLElement[] => [
  element("h2", {}, words.display.notStored),
  element("p", {}, words.display.networkThere),
];

function keyed(text: string, key: string, act: () => void): HTMLButtonElement {
  const made = button(`${text} `, { class: "button", "aria-keyshortcuts": key }, act);
  made.append(element("kbd", {}, key));
  return made;
}

const grey = (level: number): string => `rgb(${level} ${level} ${level})`;
