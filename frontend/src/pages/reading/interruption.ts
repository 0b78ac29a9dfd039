/** A pause, by the reader's wish or because nobody has moved for long: the image is covered and the time stands still. */
import type { ReadingLayout, RoomState } from "./layout";
import { lockedWords, pausedWords } from "./words";

const LOCK_AFTER_MS = 10 * 60_000;
const LOOK_EVERY_MS = 5_000;

export interface InterruptionHooks {
  possible(): boolean;
  changed(under: boolean): void;
}

export class Interruption {
  private from: RoomState | null = null;
  private movedAt = performance.now();

  constructor(
    private readonly layout: ReadingLayout,
    private readonly reader: string,
    private readonly leaveUrl: string,
    private readonly hooks: InterruptionHooks,
  ) {
    setInterval(() => {
      if (performance.now() - this.movedAt > LOCK_AFTER_MS) this.lock();
    }, LOOK_EVERY_MS);
  }

  /** Under way: another state of the room ends it. */
  get under(): boolean {
    return this.from !== null && this.layout.currentState === "paused";
  }

  moved(): void {
    this.movedAt = performance.now();
  }

  toggle(): void {
    if (this.under) this.end();
    else
      this.begin(
        pausedWords(() => {
          this.end();
        }),
      );
  }

  private lock(): void {
    this.begin(
      lockedWords(this.reader, this.leaveUrl, () => {
        this.end();
      }),
    );
  }

  private begin(words: HTMLElement[]): void {
    if (!this.hooks.possible()) return;
    this.from = this.layout.currentState;
    this.hooks.changed(true);
    this.layout.state("paused");
    this.layout.coverWith(...words);
    this.layout.focusCover();
  }

  private end(): void {
    if (!this.under || this.from === null) return;
    this.layout.state(this.from);
    this.from = null;
    this.layout.coverWith();
    this.hooks.changed(false);
  }
}
