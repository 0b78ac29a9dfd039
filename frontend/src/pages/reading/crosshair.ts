/** A place is pressed, or a cross is moved over the picture by keys until it is set; what stands there is the owner's. */
import type { Mark } from "../../core/marking";
import { markingAction, moved } from "../../core/marking";
import type { CaseDisplay } from "./display";

export interface CrosshairHooks {
  /** Whether a case is on the screen that takes a mark. */
  ready(): boolean;
  /** Whether the answer is still to be given: what it needs can't be taken away afterwards. */
  undecided(): boolean;
}

export interface CrosshairOwner {
  /** Where the cross begins, if not in the middle of what is seen. */
  from(): Mark | null;
  pressed(mark: Mark): void;
  set(mark: Mark): void;
  clear(): void;
  /** The cross has come, moved or gone. */
  changed(): void;
}

export class Crosshair {
  private cross: Mark | null = null;

  constructor(
    private readonly display: CaseDisplay,
    private readonly hooks: CrosshairHooks,
    private readonly owner: CrosshairOwner,
  ) {
    display.tapped.listen((mark) => {
      if (!hooks.ready()) return;
      this.withdraw();
      owner.pressed(mark);
    });
    display.changed.listen(() => {
      this.follow();
    });
  }

  get at(): Mark | null {
    return this.cross;
  }

  /** Whether the key was one of the cross. */
  keyed(event: KeyboardEvent): boolean {
    const action = markingAction(event, this.cross !== null);
    if (action === null || !this.hooks.ready()) return false;
    // Enter on a button is meant for the button.
    if (event.key === "Enter" && (event.target as HTMLElement).closest("button, a, summary")) return false;
    event.preventDefault();
    if (event.repeat && action.kind !== "move") return true;
    switch (action.kind) {
      case "begin":
        this.begin();
        break;
      case "move":
        if (this.cross !== null) this.cross = moved(this.cross, action, this.display.size);
        this.owner.changed();
        break;
      case "set":
        this.set();
        break;
      case "cancel":
        this.leave();
        break;
      case "clear":
        this.owner.clear();
        break;
    }
    return true;
  }

  begin(): void {
    if (!this.hooks.ready()) return;
    const { middle } = this.display;
    const from = this.owner.from();
    this.cross = from === null ? middle : { ...from, slice: middle.slice };
    this.display.lendArrows(true);
    this.display.focus();
    this.owner.changed();
  }

  /** Without setting the cross that moves. */
  leave(): void {
    this.withdraw();
    this.owner.changed();
  }

  private set(): void {
    const { cross } = this;
    this.withdraw();
    if (cross !== null) this.owner.set(cross);
  }

  private withdraw(): void {
    this.cross = null;
    this.display.lendArrows(false);
  }

  /** The cross moves with the reader from slice to slice. */
  private follow(): void {
    const { slice } = this.display.middle;
    if (this.cross !== null && this.cross.slice !== slice) this.cross = { ...this.cross, slice };
  }
}
