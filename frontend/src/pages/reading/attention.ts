/** What the browser tells of the person in front of it, and of the line. */
export interface Attention {
  /** A key, the pointer or the wheel. */
  moved(): void;
  seen(hidden: boolean): void;
  online(): void;
  left(): void;
  holdsAnswers(): boolean;
}

export function attend(hooks: Attention): void {
  for (const name of ["pointermove", "pointerdown", "wheel", "keydown"] as const) {
    document.addEventListener(name, () => {
      hooks.moved();
    });
  }
  document.addEventListener("visibilitychange", () => {
    hooks.seen(document.hidden);
  });
  window.addEventListener("online", () => {
    hooks.online();
  });
  window.addEventListener("pagehide", () => {
    hooks.left();
  });
  window.addEventListener("beforeunload", (event) => {
    if (hooks.holdsAnswers()) event.preventDefault();
  });
}
