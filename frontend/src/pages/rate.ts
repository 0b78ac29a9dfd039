/** The reading room: one rater, one case at a time, nothing lost. */
import "../styles/viewer.css";
import "../styles/reading.css";

import { memoryStorage, openIndexedDbStorage } from "../core/outbox-storage";
import { ReadingRoom } from "./reading/room";
import { dataset, required } from "./shared/dom";

async function start(root: HTMLElement): Promise<void> {
  const storage = await openIndexedDbStorage(indexedDB).catch(memoryStorage);
  const leaveUrl = root.dataset.backUrl ?? "/";
  const room = new ReadingRoom(root, dataset(root, "sessionUrl"), dataset(root, "loginUrl"), leaveUrl, storage);
  await room.start();
}

void start(required("#reading-room", HTMLElement));
