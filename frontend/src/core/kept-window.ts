/** The window that a reader takes along from case to case: through a reload of the same sitting, never into another. */
import type { Window } from "./windows";
import { clampWindow } from "./windows";

export interface SittingStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export class KeptWindow {
  private kept: Window | null;
  private readonly place: string;

  constructor(
    /** Of this tab alone; null where the browser has none. */
    private readonly storage: SittingStorage | null,
    sitting: string,
    /** Whether the study lets its raters. */
    readonly allowed: boolean,
  ) {
    this.place = `turing-ward window of ${sitting}`;
    this.kept = allowed ? this.before() : null;
  }

  /** Null while every case begins with the study's own. */
  get window(): Window | null {
    return this.kept;
  }

  /** From now on this one is taken along, or none. */
  keep(window: Window | null): void {
    if (!this.allowed) return;
    this.kept = window;
    try {
      if (window === null) this.storage?.removeItem(this.place);
      else this.storage?.setItem(this.place, JSON.stringify(window));
    } catch {
      // A browser that keeps nothing does as it is told until the page is closed.
    }
  }

  /** The reader has set another one. */
  follow({ center, width }: Window): void {
    if (this.kept === null || (this.kept.center === center && this.kept.width === width)) return;
    this.keep({ center, width });
  }

  private before(): Window | null {
    try {
      const { center, width } = JSON.parse(this.storage?.getItem(this.place) ?? "{}") as Partial<Window>;
      const numbers = typeof center === "number" && typeof width === "number";
      return numbers ? clampWindow({ center, width }) : null;
    } catch {
      // What another version kept, or somebody wrote, counts as nothing kept.
      return null;
    }
  }
}
