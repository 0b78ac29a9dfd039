/** One page of the browser reads; another one says so and offers to take over. */
import type { Place, Presence } from "../../core/presence";
import type { ReadingLayout } from "./layout";
import { elsewhereWords } from "./words";
import { words } from "../../words";

export type PresenceHere = (onChange: (place: Place) => void) => Presence;

export interface SolePageHooks {
  /** Another page has taken over. */
  left(): void;
  /** This page reads again. */
  back(): void;
}

export class SolePage {
  private readonly presence: Presence;
  private begun = false;

  constructor(
    private readonly layout: ReadingLayout,
    presence: PresenceHere,
    private readonly hooks: SolePageHooks,
  ) {
    this.presence = presence((place) => {
      this.placed(place);
    });
  }

  get elsewhere(): boolean {
    return this.presence.place === "elsewhere";
  }

  begin(): void {
    this.presence.takeOver();
    this.begun = true;
  }

  leave(): void {
    this.presence.leave();
  }

  private placed(place: Place): void {
    if (place === "elsewhere") {
      this.hooks.left();
      this.layout.state("elsewhere");
      this.layout.say("elsewhere", words.room.elsewhere);
      this.layout.coverWith(
        ...elsewhereWords(() => {
          this.presence.takeOver();
        }),
      );
      this.layout.focusCover();
    } else if (this.begun) {
      this.layout.say("elsewhere");
      this.hooks.back();
    }
  }
}
