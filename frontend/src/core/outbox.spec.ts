import "fake-indexeddb/auto";

import { describe, expect, it, vi } from "vitest";

import type { AnswerBody, OutboxEntry, OutboxStatus, OutboxStorage, SendReply } from "./outbox";
import { Outbox } from "./outbox";
import { noDrawer, openIndexedDbDrawer } from "./outbox-storage";
import { HELD_CHECK_MS } from "./retry";
import { savedWords } from "./saved";
import { sealedStorage } from "./sealing";
import { wordsOf } from "./words/words";

const VOICE = "voice of s1";
const KEY = "07".repeat(32);
let counter = 0;

const entry = (id: string, more: Partial<OutboxEntry> = {}, body: Partial<AnswerBody> = {}): OutboxEntry => ({
  clientEventId: id,
  session: "/s/1/",
  presentation: `p-${id}`,
  revisit: false,
  url: `/p/${id}/events/`,
  body: { client_event_id: id, counter: (counter += 1), supersedes: null, ...body },
  state: "waiting",
  message: "",
  current: null,
  ...more,
});

function memoryStorage(): OutboxStorage {
  const entries = new Map<string, OutboxEntry>();
  return {
    put: (kept) => Promise.resolve(void entries.set(kept.clientEventId, kept)),
    remove: (clientEventId) => Promise.resolve(void entries.delete(clientEventId)),
    all: () => Promise.resolve([...entries.values()]),
  };
}

const receipt = (id: string, status = 201): SendReply => ({
  status,
  body: { receipt: { client_event_id: id } },
  message: "",
});
const reply = (status: number): SendReply => ({ status, body: { detail: "no" }, message: "no" });
const refusal = (id: string, code: string, final: boolean, current: object | null = null): SendReply => ({
  status: 409,
  body: { detail: "no", refusal: { client_event_id: id, voice: VOICE, code, final, current } },
  message: "no",
});
const standing = (id: string) => ({
  client_event_id: id,
  answer: "real",
  confidence: null,
  answered_at: "2026-01-01T10:00:00Z",
});

class Desk {
  readonly sent: string[] = [];
  readonly accepted: string[] = [];
  readonly turnedAway: OutboxEntry[] = [];
  readonly delays: number[] = [];
  status: OutboxStatus = { waiting: 0, unkept: 0, kept: [], conflicts: [], ofOthers: 0, problem: "none" };
  wake: () => void = () => undefined;
  readonly outbox: Outbox;

  constructor(
    answer: (entry: OutboxEntry, attempt: number, unsent: number) => SendReply | Promise<SendReply>,
    readonly storage: OutboxStorage = memoryStorage(),
  ) {
    this.outbox = new Outbox({
      session: "/s/1/",
      voice: VOICE,
      storage,
      send: (sending, unsent) => {
        this.sent.push(sending.clientEventId);
        return Promise.resolve(answer(sending, this.sent.length, unsent));
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
      onTurnedAway: (kept) => this.turnedAway.push(kept),
      onStatus: (status) => {
        this.status = status;
      },
    });
  }

  get words(): string {
    return savedWords(this.status, wordsOf("en"));
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

  it("sends in the order of the answers and never overtakes one that failed", async () => {
    const desk = new Desk((sending, attempt) => (attempt === 1 ? reply(503) : receipt(sending.clientEventId)));
    await desk.outbox.add(entry("a"));
    await desk.outbox.add(entry("b"));
    await desk.outbox.flush();
    expect(desk.sent).toEqual(["a"]);
    expect(desk.status).toMatchObject({ waiting: 2, problem: "server" });
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

  it("keeps a copy of what was refused for good and lets the next answer through", async () => {
    const desk = new Desk((sending) =>
      sending.clientEventId === "a" ? refusal("a", "invalid", true) : receipt(sending.clientEventId),
    );
    await desk.outbox.add(entry("a"));
    await desk.outbox.add(entry("b"));
    await desk.outbox.flush();
    expect(desk.accepted).toEqual(["b"]);
    expect(desk.status.kept).toMatchObject([{ clientEventId: "a", state: "refused", message: "no" }]);
    expect(desk.words).toBe("1 answer not taken by the server");
    expect((await desk.storage.all()).map((one) => one.state)).toEqual(["refused"]);
  });

  it.each([400, 404, 405, 409, 413, 451])(
    "loses nothing to a reply with %d that is not the server's",
    async (status) => {
      const storage = memoryStorage();
      const desk = new Desk(() => ({ status, body: null, message: "blocked" }), storage);
      await desk.outbox.add(entry("a"));
      await desk.outbox.flush();
      expect(desk.turnedAway).toEqual([]);
      expect(desk.words).toBe("Something else answers in place of the server: 1 answer is kept here");
      const later = new Desk((sending) => receipt(sending.clientEventId), storage);
      await later.outbox.load(0);
      await later.outbox.flush();
      expect(later.accepted).toEqual(["a"]);
      expect(later.words).toBe("All answers saved");
    },
  );

  it("offers what a closed study turned away again, on this page and at the next visit", async () => {
    const storage = memoryStorage();
    let open = false;
    const here = (sending: OutboxEntry): SendReply =>
      open ? receipt(sending.clientEventId) : refusal(sending.clientEventId, "study_not_open", false);
    const desk = new Desk(here, storage);
    await desk.outbox.add(entry("a"));
    await desk.outbox.add(entry("b"));
    await desk.outbox.flush();
    expect(desk.turnedAway.map((one) => one.state)).toEqual(["held", "held"]);
    expect(desk.words).toBe("2 answers not taken by the server");
    expect(desk.delays).toEqual([HELD_CHECK_MS]);
    const next = new Desk(here, storage);
    await next.outbox.load(0);
    expect(next.outbox.pending).toHaveLength(2);
    open = true;
    await desk.later();
    expect(desk.accepted).toEqual(["a", "b"]);
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

  it("sends by number, whatever the clock did meanwhile, and says how many more it holds", async () => {
    const unsent: number[] = [];
    const desk = new Desk((sending, _, more) => {
      unsent.push(more);
      return receipt(sending.clientEventId);
    });
    await desk.outbox.add(entry("second", {}, { counter: 42 }));
    await desk.outbox.add(entry("first", {}, { counter: 41 }));
    expect(desk.outbox.lastCounter).toBe(42);
    await desk.outbox.flush();
    expect(desk.sent).toEqual(["first", "second"]);
    expect(unsent).toEqual([1, 0]);
  });

  describe("with another answer on the server", () => {
    async function conflicted(): Promise<Desk> {
      const desk = new Desk((sending) =>
        sending.body.supersedes === "theirs"
          ? receipt(sending.clientEventId)
          : refusal(sending.clientEventId, "answer_conflict", false, standing("theirs")),
      );
      // The reader changed the answer before either had arrived.
      await desk.outbox.add(entry("a", { presentation: "p" }));
      await desk.outbox.add(entry("b", { presentation: "p", revisit: true }, { supersedes: "a" }));
      await desk.outbox.flush();
      return desk;
    }

    it("asks the reader once per case and keeps both until then", async () => {
      const desk = await conflicted();
      expect(desk.status.conflicts.map((one) => one.clientEventId)).toEqual(["b"]);
      expect(desk.status.conflicts[0]?.current).toEqual(standing("theirs"));
      expect(desk.words).toBe("1 answer waiting for your decision");
      expect((await desk.storage.all()).map((one) => one.state)).toEqual(["conflict", "conflict"]);
    });

    it("puts the last answer in the place of the server's when the reader says so", async () => {
      const desk = await conflicted();
      await desk.outbox.resolve("p", true);
      expect(desk.accepted).toEqual(["b"]);
      expect(desk.words).toBe("All answers saved");
      expect(await desk.storage.all()).toEqual([]);
    });

    it("gives up its own when the reader keeps the server's", async () => {
      const desk = await conflicted();
      await desk.outbox.resolve("p", false);
      expect(desk.accepted).toEqual([]);
      expect(desk.words).toBe("All answers saved");
      expect(await desk.storage.all()).toEqual([]);
    });
  });

  describe("with a storage that fails", () => {
    const broken = (): Promise<never> => Promise.reject(new Error("disk full"));

    it("says that an answer is not kept, and the server's receipt makes it safe", async () => {
      const desk = new Desk((sending) => receipt(sending.clientEventId), { ...memoryStorage(), put: broken });
      expect(await desk.outbox.add(entry("a"))).toBe(false);
      expect(desk.status.unkept).toBe(1);
      await desk.outbox.flush();
      expect(desk.accepted).toEqual(["a"]);
      expect(desk.status.unkept).toBe(0);
    });

    it("says so while the server can't be reached either", async () => {
      const desk = new Desk(() => reply(0), { ...memoryStorage(), put: broken });
      await desk.outbox.add(entry("a"));
      await desk.outbox.flush();
      expect(desk.words).toBe("No connection: 1 answer is kept in this page only: leave it open");
    });

    it("sends an answer once that it can't delete", async () => {
      const storage = { ...memoryStorage(), remove: broken };
      const desk = new Desk((sending) => receipt(sending.clientEventId), storage);
      await desk.outbox.add(entry("a"));
      await desk.outbox.flush();
      await desk.outbox.flush();
      await desk.outbox.add(entry("b"));
      await desk.outbox.flush();
      expect(desk.sent).toEqual(["a", "b"]);
      expect(desk.words).toBe("All answers saved");
    });

    it("begins with nothing when what is stored can't be read", async () => {
      const desk = new Desk((sending) => receipt(sending.clientEventId), { ...memoryStorage(), all: broken });
      await desk.outbox.load(0);
      expect(desk.words).toBe("All answers saved");
      const none = new Desk(() => reply(0), sealedStorage(noDrawer(), KEY, crypto));
      await none.outbox.load(0);
      expect(await none.outbox.add(entry("a"))).toBe(false);
    });

    it("does not hang on a storage that does", async () => {
      const stuck = { onsuccess: null, onerror: null };
      const factory = { open: () => stuck } as unknown as IDBFactory;
      vi.useFakeTimers();
      try {
        const refused = expect(openIndexedDbDrawer(factory)).rejects.toThrow("did not answer in time");
        await vi.advanceTimersByTimeAsync(5_000);
        await refused;
      } finally {
        vi.useRealTimers();
      }
    });
  });

  it("says that another session's answers lie here, and goes on offering them however often its own go out", async () => {
    let open = false;
    const storage = memoryStorage();
    await storage.put(entry("theirs", { session: "/s/2/" }));
    const desk = new Desk(
      (sending) => (sending.clientEventId === "theirs" && !open ? reply(409) : receipt(sending.clientEventId)),
      storage,
    );
    await desk.outbox.load(0);
    await desk.outbox.flush();
    expect(desk.status).toMatchObject({ waiting: 0, problem: "none" });
    expect(desk.words).toBe("All answers of this reading saved; 1 answer of another one is kept here");
    expect(desk.delays).toEqual([HELD_CHECK_MS]);
    for (const id of ["one", "two"]) {
      await desk.outbox.add(entry(id));
      await desk.outbox.flush();
    }
    expect(desk.sent).toEqual(["theirs", "one", "two"]);
    expect(desk.words).toContain("1 answer of another one is kept here");
    await desk.later();
    expect(desk.sent).toEqual(["theirs", "one", "two", "theirs"]);
    expect(desk.delays).toEqual([HELD_CHECK_MS, HELD_CHECK_MS]);
    open = true;
    await desk.later();
    expect(desk.words).toBe("All answers saved");
    expect(await storage.all()).toEqual([]);
  });

  it("says that a refused answer of another session lies here, and does not offer it", async () => {
    const storage = memoryStorage();
    await storage.put(entry("refused", { session: "/s/2/", state: "refused" }));
    const desk = new Desk((sending) => receipt(sending.clientEventId), storage);
    await desk.outbox.load(0);
    await desk.outbox.flush();
    expect([desk.sent, desk.delays]).toEqual([[], []]);
    expect(desk.words).toBe("All answers of this reading saved; 1 answer of another one is kept here");
  });
});

describe("IndexedDB storage", () => {
  const open = async (key = KEY): Promise<OutboxStorage> =>
    sealedStorage(await openIndexedDbDrawer(indexedDB), key, crypto);

  it("still has the entries after the page was closed, in the order of their numbers", async () => {
    const first = await open();
    await first.put(entry("late", {}, { counter: 12 }));
    await first.put(entry("early", {}, { counter: 11 }));
    await first.put(entry("gone", {}, { counter: 10 }));
    await first.remove("gone");
    const desk = new Desk((sending) => receipt(sending.clientEventId), await open());
    await desk.outbox.load(0);
    await desk.outbox.flush();
    expect(desk.sent).toEqual(["early", "late"]);
    expect(await first.all()).toEqual([]);
  });

  it("is unreadable to the next person, and left alone until the first one is back", async () => {
    const mine = await open();
    await mine.put(entry("mine"));
    expect(await (await open("08".repeat(32))).all()).toEqual([]);
    const stored = await (await openIndexedDbDrawer(indexedDB)).all();
    expect(new TextDecoder().decode(stored[0] && "sealed" in stored[0] ? stored[0].sealed : undefined)).not.toContain(
      "p-mine",
    );
    expect((await mine.all()).map((one) => one.clientEventId)).toEqual(["mine"]);
    await mine.remove("mine");
  });

  it("sends what an earlier version had kept, with the numbers that follow the server's", async () => {
    const drawer = await openIndexedDbDrawer(indexedDB);
    for (const [id, queuedAt] of [
      ["newer", 2],
      ["older", 1],
    ] as const) {
      const plain = { ...entry(id), queuedAt, body: { client_event_id: id }, state: "waiting", current: undefined };
      await drawer.put(plain as never);
    }
    const numbers: [string, number][] = [];
    const desk = new Desk(
      (sending) => {
        numbers.push([sending.clientEventId, sending.body.counter]);
        return receipt(sending.clientEventId);
      },
      await open(),
    );
    await desk.outbox.load(7);
    await desk.outbox.flush();
    expect(numbers).toEqual([
      ["older", 8],
      ["newer", 9],
    ]);
    expect(await drawer.all()).toEqual([]);
  });
});
