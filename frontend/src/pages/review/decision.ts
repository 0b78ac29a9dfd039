/** Accepting and rejecting by key; the buttons say which. The decision does not wait for the pictures. */
import type { Shortcuts } from "../shared/toolbar";

/** Each key that a button of the decision names presses it; a rejection without a reason asks for one first. */
export function decisionKeys(keys: Shortcuts): void {
  const reason = document.querySelector<HTMLTextAreaElement>("#decision textarea");
  const reject = document.querySelector<HTMLButtonElement>("#decision button[value=reject]");
  for (const made of document.querySelectorAll<HTMLButtonElement>(".decision button[aria-keyshortcuts]")) {
    keys.on((made.getAttribute("aria-keyshortcuts") ?? "").toLowerCase(), () => {
      if (made === reject && reason?.value.trim() === "") reason.focus();
      else made.click();
    });
  }
  reason?.addEventListener("keydown", (event) => {
    if (event.key === "Escape") reason.blur();
    // Whoever writes a reason rejects; a further line takes Shift.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    reject?.click();
  });
}
