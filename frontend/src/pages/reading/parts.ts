import type { Drawer } from "../../core/sealing";
import type { PresenceHere } from "./sole-page";

/** What a reading room is made of. */
export interface RoomParts {
  readonly sessionUrl: string;
  readonly loginUrl: string;
  readonly leaveUrl: string;
  /** Where the room can be tried; not in a preview or a practice. */
  readonly practiceUrl: string | undefined;
  readonly drawer: Drawer;
  /** The pages of this sitting in this browser. */
  readonly presence: PresenceHere;
}
