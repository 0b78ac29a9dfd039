/** What the reading room says in place of an image. */
import type { ReadingSession } from "../../api/contract";
import type { ServerView } from "../../core/sitting";
import { button, element } from "../shared/dom";

export const paragraphs = (text: string): HTMLElement[] =>
  text
    .split(/\n+/)
    .filter((line) => line.trim() !== "")
    .map((line) => element("p", {}, line));

export function welcomeWords({ study }: ReadingSession, begin: () => void): HTMLElement[] {
  const start = button("Start reading", { class: "button primary" }, begin);
  start.append(" ", element("kbd", {}, "Enter"));
  return [element("h2", {}, study.title), ...paragraphs(study.instructions), start];
}

export function finishedWords(server: ServerView, preview: boolean): HTMLElement[] {
  const text = preview
    ? "This is the end of the preview. Nothing was stored."
    : `All ${server.progress.total} cases are read and every answer is saved. You can close this page.`;
  return [element("h2", {}, "Thank you"), element("p", {}, text)];
}

export const closedWords = (): HTMLElement[] => [
  element("h2", {}, "This reading is closed"),
  element("p", {}, "The study no longer takes answers. What you had answered before is saved."),
];

export const savingWords = (): HTMLElement[] => [
  element("p", {}, "Saving your last answers. Please keep this page open."),
];

export function revisitWords(answerBefore: string | undefined): string {
  const before = answerBefore === undefined ? "" : ` (your answer was ${answerBefore})`;
  return (
    `You are looking at the previous case again${before}. ` +
    "A new answer takes the place of the earlier one; Esc leaves it as it is."
  );
}
