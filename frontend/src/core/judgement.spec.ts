import { describe, expect, it } from "vitest";

import { judge } from "./judgement";

const VOICE = "v-1";
const reply = (status: number, body: unknown) => ({ status, body, message: "" });
const refusal = (more: object = {}) => ({
  detail: "no",
  refusal: { client_event_id: "a", voice: VOICE, code: "invalid", final: true, current: null, ...more },
});

describe("the reply to an answer", () => {
  it("is taken only with the receipt of this very answer", () => {
    expect(judge(reply(201, { receipt: { client_event_id: "a" } }), "a", VOICE)).toEqual({ kind: "accepted" });
    for (const body of [null, {}, { receipt: null }, { receipt: { client_event_id: "b" } }, "<html>"])
      expect(judge(reply(200, body), "a", VOICE)).toEqual({ kind: "waiting", problem: "interposed" });
  });

  it("ends an answer only in the voice of its sitting", () => {
    expect(judge(reply(400, refusal()), "a", VOICE)).toEqual({ kind: "refused" });
    for (const code of ["study_not_open", "display_not_checked"])
      expect(judge(reply(409, refusal({ final: false, code })), "a", VOICE)).toEqual({ kind: "held", code });
    for (const change of [{ voice: "" }, { voice: "v-2" }, { client_event_id: "b" }])
      expect(judge(reply(400, refusal(change)), "a", VOICE).kind).toBe("waiting");
    expect(judge(reply(400, refusal({ voice: "" })), "a", "").kind).toBe("waiting");
  });

  it("names the answer that stands in the way", () => {
    const current = { client_event_id: "b", answer: "real", confidence: 2, answered_at: "2026-01-01T10:00:00Z" };
    const body = refusal({ code: "answer_conflict", final: false, current });
    expect(judge(reply(409, body), "a", VOICE)).toEqual({ kind: "conflict", current });
  });

  it.each([400, 401, 403, 404, 405, 409, 410, 413, 451])("waits when a proxy's page answers with %d", (status) => {
    for (const body of [null, { error: "blocked" }])
      expect(judge(reply(status, body), "a", VOICE)).toEqual({ kind: "waiting", problem: "interposed" });
  });

  it.each([
    [0, null, "offline"],
    [401, { detail: "Authentication credentials were not provided." }, "logged-out"],
    [403, { detail: "CSRF Failed" }, "logged-out"],
    [404, { detail: "Not found." }, "other-login"],
    [429, null, "server"],
    [400, { detail: "malformed" }, "server"],
    [500, null, "server"],
    [503, "<html>", "server"],
  ] as const)("says why it waits: %d %j is %s", (status, body, problem) => {
    expect(judge(reply(status, body), "a", VOICE)).toEqual({ kind: "waiting", problem });
  });
});
