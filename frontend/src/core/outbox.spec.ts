import "fake-indexeddb/auto";

import { describe, expect, it } from "vitest";

import type { OutboxEntry, OutboxStatus, OutboxStorage, SendReply } from "./outbox";
import { Outbox } from "./outbox";
import { memoryStorage, openIndexedDbStorage } from "./outbox-storage";

const entry = (id: string, more: Partial<OutboxEntry> = {}): OutboxEntry => ({
  clientEventId: id,
  session: "/s/1/",
  presentation: `p-${id}`,
  revisit: false,
  url: `/p/${id}/events/`,
  queuedAt: 0,
  body: { client_event_id: id, answer: "real" },
  state: "waiting",
  message: "",
  ...more,
});

const receipt = (id: string, status = 201): SendReply => ({
  status,
  body: { receipt: { client_event_id: id } },
  message: "",
});
const reply = (status: number): SendReply => ({ status, body: { detail: "no" }, message: "no" });

class Desk {
  readonly sent: string[] = [];
  readonly accepted: string[] = [];
  readonly kept: OutboxEntry[] = [];
  readonly delays: number[] = [];
  status: OutboxStatus = { waiting: 0, kept: [], problem: "none", message: "" };
  wake: () => void = () => undefined;
  readonly outbox: Outbox;

  constructor(
    answer: (entry: OutboxEntry, attempt: number) => SendReply | Promise<SendReply>,
    readonly storage: OutboxStorage = memoryStorage(),
  ) {
    this.outbox = new Outbox({
      session: "/s/1/",
      storage,
      send: (sending) => {
        this.sent.push(sending.clientEventId);
        return Promise.resolve(answer(sending, this.sent.length));
      },
      later: (delayMs, action) => {
        this.delays.push(delayMs);
        this.wake = action;
        return () => {
          this.wake = () => undefined;
        };
      },
      random: () => 1,
      onAccepted: (done) => this.accepted.push(done.clientEventId),
      onKept: (kept) => this.kept.push(kept),
      onStatus: (status) => {
        this.status = status;
      },
    });
  }

  /** What the timer would do. */
  async later(): Promise<void> {
    this.wake();
    await this.outbox.flush();
  }
}

describe("outbox", () => {
  it("stores before it sends and forgets only with the receipt", async () => {
    const storedWhenSent: number[] = [];
    const storage = memoryStorage();
    const desk = new Desk(async (sending) => {
      storedWhenSent.push((await storage.all()).length);
      return receipt(sending.clientEventId);
    }, storage);
    await desk.outbox.add(entry("a"));
    expect((await storage.all()).map((one) => one.clientEventId)).toEqual(["a"]);
    await desk.outbox.flush();
    expect(storedWhenSent).toEqual([1]);
    expect(await storage.all()).toEqual([]);
    expect(desk.accepted).toEqual(["a"]);
    expect(desk.status.waiting).toBe(0);
  });

  it("does not count an answer that storage refused", async () => {
    const broken: OutboxStorage = { ...memoryStorage(), put: () => Promise.reject(new Error("disk full")) };
    const desk = new Desk((sending) => receipt(sending.clientEventId), broken);
    await expect(desk.outbox.add(entry("a"))).rejects.toThrow("disk full");
    await desk.outbox.flush();
    expect(desk.sent).toEqual([]);
    expect(desk.outbox.pending).toEqual([]);
  });

  it("sends in the order of the answers and never overtakes one that failed", async () => {
    const desk = new Desk((sending, attempt) => (attempt === 1 ? reply(503) : receipt(sending.clientEventId)));
    await desk.outbox.add(entry("a"));
    await desk.outbox.add(entry("b"));
    await desk.outbox.flush();
    expect(desk.sent).toEqual(["a"]);
    expect(desk.status).toMatchObject({ waiting: 2, problem: "offline" });
    await desk.later();
    expect(desk.sent).toEqual(["a", "a", "b"]);
    expect(desk.accepted).toEqual(["a", "b"]);
    expect(desk.status).toMatchObject({ waiting: 0, problem: "none" });
  });

  it("waits longer after each failure and starts over after a success", async () => {
    let failures = 3;
    const desk = new Desk((sending) => {
      failures -= 1;
      return failures >= 0 ? reply(0) : receipt(sending.clientEventId);
    });
    await desk.outbox.add(entry("a"));
    await desk.outbox.flush();
    await desk.later();
    await desk.later();
    await desk.later();
    expect(desk.delays).toEqual([1000, 2000, 4000]);
    failures = 1;
    await desk.outbox.add(entry("b"));
    await desk.outbox.flush();
    expect(desk.delays.at(-1)).toBe(1000);
  });

  it("takes no page of a proxy for a receipt, nor the receipt of another answer", async () => {
    for (const foreign of [
      { status: 200, body: null, message: "" },
      receipt("other"),
      { status: 200, body: { receipt: null }, message: "" },
    ]) {
      const desk = new Desk(() => foreign);
      await desk.outbox.add(entry("a"));
      await desk.outbox.flush();
      expect(desk.accepted).toEqual([]);
      expect((await desk.storage.all()).length).toBe(1);
    }
  });

  it("accepts the second receipt of an answer whose first was lost", async () => {
    const desk = new Desk((sending, attempt) => (attempt === 1 ? reply(0) : receipt(sending.clientEventId, 200)));
    await desk.outbox.add(entry("a"));
    await desk.outbox.flush();
    await desk.later();
    expect(desk.sent).toEqual(["a", "a"]);
    expect(desk.accepted).toEqual(["a"]);
  });

  it("keeps everything while logged out and goes on by itself", async () => {
    let loggedIn = false;
    const desk = new Desk((sending) => (loggedIn ? receipt(sending.clientEventId) : reply(403)));
    await desk.outbox.add(entry("a"));
    await desk.outbox.flush();
    expect(desk.status).toMatchObject({ waiting: 1, problem: "logged-out" });
    loggedIn = true;
    await desk.later();
    expect(desk.accepted).toEqual(["a"]);
    expect(desk.status.problem).toBe("none");
  });

  it("keeps a copy of what was refused and lets the next answer through", async () => {
    const desk = new Desk((sending) => (sending.clientEventId === "a" ? reply(400) : receipt(sending.clientEventId)));
    await desk.outbox.add(entry("a"));
    await desk.outbox.add(entry("b"));
    await desk.outbox.flush();
    expect(desk.accepted).toEqual(["b"]);
    expect(desk.status.waiting).toBe(0);
    expect(desk.status.kept).toMatchObject([{ clientEventId: "a", state: "refused", message: "no" }]);
    expect((await desk.storage.all()).map((one) => one.state)).toEqual(["refused"]);
  });

  it("offers what a closed study turned away once more at the next visit", async () => {
    const storage = memoryStorage();
    const closed = new Desk(() => reply(409), storage);
    await closed.outbox.add(entry("a"));
    await closed.outbox.flush();
    expect(closed.kept.map((one) => one.state)).toEqual(["closed"]);
    expect(closed.delays).toEqual([]);
    const reopened = new Desk((sending) => receipt(sending.clientEventId), storage);
    await reopened.outbox.load();
    await reopened.outbox.flush();
    expect(reopened.accepted).toEqual(["a"]);
    expect(await storage.all()).toEqual([]);
  });

  it("sends an answer that was added while another was on its way", async () => {
    const desk = new Desk(async (sending) => {
      if (sending.clientEventId === "a") await desk.outbox.add(entry("b"));
      return receipt(sending.clientEventId);
    });
    await desk.outbox.add(entry("a"));
    await Promise.all([desk.outbox.flush(), desk.outbox.flush()]);
    expect(desk.sent).toEqual(["a", "b"]);
  });

  it("leaves another session's answers alone when the server does not want them from here", async () => {
    const storage = memoryStorage();
    await storage.put(entry("theirs", { session: "/s/2/" }));
    const desk = new Desk(
      (sending) => (sending.clientEventId === "theirs" ? reply(403) : receipt(sending.clientEventId)),
      storage,
    );
    await desk.outbox.load();
    await desk.outbox.add(entry("mine"));
    await desk.outbox.flush();
    await desk.outbox.flush();
    expect(desk.sent).toEqual(["mine", "theirs"]);
    expect(desk.status).toMatchObject({ waiting: 0, problem: "none" });
    expect((await storage.all()).map((one) => one.clientEventId)).toEqual(["theirs"]);
  });
});

describe("IndexedDB storage", () => {
  it("still has the entries after the page was closed, in the order of the answers", async () => {
    const first = await openIndexedDbStorage(indexedDB);
    await first.put(entry("late", { queuedAt: 2 }));
    await first.put(entry("early", { queuedAt: 1 }));
    await first.put(entry("gone", { queuedAt: 0 }));
    await first.remove("gone");
    const desk = new Desk((sending) => receipt(sending.clientEventId), await openIndexedDbStorage(indexedDB));
    expect(desk.outbox.durable).toBe(true);
    await desk.outbox.load();
    await desk.outbox.flush();
    expect(desk.sent).toEqual(["early", "late"]);
    expect(await first.all()).toEqual([]);
  });
});
