/** A preview or a practice walks through its cases as the server leads; nothing is kept on either side. */
import type { RatingBody, RatingReply } from "../../api/contract";
import { postJson } from "../../api/http";
import { classifyStatus } from "../../core/retry";
import { eventsUrl } from "./cases";
import type { ReadingLayout } from "./layout";
import { untilAnswered } from "./patience";

export const rehearsed = (layout: ReadingLayout, token: string, body: RatingBody): Promise<RatingReply> =>
  untilAnswered(layout, async () => {
    const { status, body: reply, message } = await postJson(eventsUrl(token), body);
    if (classifyStatus(status) !== "accepted") throw new Error(message);
    return reply as RatingReply;
  });
