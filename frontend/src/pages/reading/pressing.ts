/** Which presses of a key count: one that is held down may scroll, but answers only once; one that bounces was one. */
import { KeyBounce } from "../../core/bounce";

const HELD_DOWN = new Set(["scroll", "zoom", "step", "erase"]);

export class Pressing {
  private readonly bounce: KeyBounce;

  constructor(now: () => number) {
    this.bounce = new KeyBounce(now);
  }

  counts(kind: string, event: KeyboardEvent): boolean {
    if (HELD_DOWN.has(kind)) return true;
    // A digit twice makes another number, which stands on the screen before it is given.
    return !event.repeat && (kind === "digit" || this.bounce.accepts(event.code || event.key));
  }
}
