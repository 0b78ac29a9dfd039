/** The reading room: one rater, one case at a time, nothing lost. */
import "../styles/viewer.css";
import "../styles/reading.css";

import { uuid4 } from "../core/identifiers";
import { noDrawer, openIndexedDbDrawer } from "../core/outbox-storage";
import type { Channel, Message, Place } from "../core/presence";
import { Presence } from "../core/presence";
import { ReadingRoom } from "./reading/room";
import { brokenWords } from "./reading/words";
import { dataset, element, required } from "./shared/dom";

async function start(root: HTMLElement): Promise<void> {
  const sessionUrl = dataset(root, "sessionUrl");
  const room = new ReadingRoom(root, {
    sessionUrl,
    loginUrl: dataset(root, "loginUrl"),
    // Empty in a preview, and in the practice itself.
    practiceUrl: root.dataset.practiceUrl === "" ? undefined : root.dataset.practiceUrl,
    leaveUrl: root.dataset.backUrl ?? "/",
    drawer: await openIndexedDbDrawer(indexedDB).catch(noDrawer),
    presence: (onChange) => presenceIn(sessionUrl, onChange),
  });
  await room.start();
}

function presenceIn(sessionUrl: string, onChange: (place: Place) => void): Presence {
  const broadcast = new BroadcastChannel(`turing-ward ${sessionUrl}`);
  const channel: Channel = {
    post: (message) => {
      broadcast.postMessage(message);
    },
    listen: (hear) => {
      broadcast.addEventListener("message", (event: MessageEvent<Message>) => {
        hear(event.data);
      });
    },
  };
  return new Presence(uuid4(crypto), channel, () => performance.now(), onChange);
}

const root = required("#reading-room", HTMLElement);
start(root).catch((error: unknown) => {
  const reason = error instanceof Error ? error.message : String(error);
  root.dataset.state = "error";
  root.classList.add("room");
  root.replaceChildren(element("div", { class: "room-cover" }, ...brokenWords(`${reason}.`)));
});
