/** The outbox in the midst of trouble: two computers and two tabs on one of them, lost replies, proxies, other logins,
a storage that fails, pages that are closed at any moment, a study that is closed and opened again. CHAOS_RUNS=2000 npm test for a long run. */
import { describe, expect, it } from "vitest";

import type { GivenAnswer } from "./judgement";
import type { OutboxEntry, OutboxStorage, SendReply } from "./outbox";
import { Outbox } from "./outbox";

declare const process: { readonly env: Readonly<Record<string, string | undefined>> };

const RUNS = Number(process.env.CHAOS_RUNS ?? 60);
const STEPS = 80;
const CASES = 6;
const VOICE = "the server";

/** mulberry32: a fixed order of troubles. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** What tests/readerstudy proves of the real one: each id once, and only after the answer that it names. */
class Server {
  readonly ledger: OutboxEntry[] = [];
  open = true;

  current(presentation: string): OutboxEntry | undefined {
    return this.ledger.filter((entry) => entry.presentation === presentation).at(-1);
  }

  take(entry: OutboxEntry): SendReply {
    const { clientEventId, body } = entry;
    if (this.ledger.some((known) => known.clientEventId === clientEventId)) return accepted(clientEventId);
    if (!this.open) return refused(clientEventId, "study_not_open", null);
    const current = this.current(entry.presentation);
    if ((current?.clientEventId ?? null) !== body.supersedes)
      return refused(clientEventId, "answer_conflict", current ?? null);
    this.ledger.push(entry);
    return accepted(clientEventId);
  }
}

const accepted = (id: string): SendReply => ({ status: 201, body: { receipt: { client_event_id: id } }, message: "" });

function refused(id: string, code: string, current: OutboxEntry | null): SendReply {
  const standing: GivenAnswer | null = current && {
    client_event_id: current.clientEventId,
    answer: "real",
    confidence: null,
    level: null,
    mark: null,
    marks: null,
    side: 0,
    answered_at: "",
  };
  const refusal = { client_event_id: id, voice: VOICE, code, final: false, current: standing };
  return { status: 409, body: { detail: "no", refusal }, message: "no" };
}

/** What one browser keeps for all its tabs. */
type Disk = Map<string, OutboxEntry>;

class Page {
  readonly given = new Map<string, string>();
  readonly givenUp = new Set<string>();
  trouble = true;
  outbox!: Outbox;
  private conflicts: readonly OutboxEntry[] = [];
  private deciding = false;
  private timer: () => void = () => undefined;

  constructor(
    private readonly server: Server,
    readonly disk: Disk,
    private readonly random: () => number,
  ) {}

  /** The page is loaded anew: what it had in memory only is gone, the disk is there. */
  async load(): Promise<void> {
    this.outbox = new Outbox({
      session: "/s/",
      voice: VOICE,
      storage: this.storage(),
      send: (entry) => Promise.resolve(this.line(entry)),
      later: (_, action) => {
        this.timer = action;
        return () => undefined;
      },
      random: this.random,
      onAccepted: () => undefined,
      onTurnedAway: (entry) => {
        if (entry.current) this.given.set(entry.presentation, entry.current.client_event_id);
      },
      onStatus: (status) => {
        this.conflicts = status.conflicts;
      },
    });
    this.given.clear();
    await this.outbox.load(this.server.ledger.length);
    for (let n = 0; n < CASES; n += 1) {
      const current = this.server.current(`p${n}`);
      if (current) this.given.set(`p${n}`, current.clientEventId);
    }
    for (const entry of this.outbox.pending) this.given.set(entry.presentation, entry.clientEventId);
  }

  /** True when the answer counts as given: on the disk, or confirmed. */
  async answer(presentation: string, id: string): Promise<boolean> {
    const supersedes = this.given.get(presentation) ?? null;
    const counter = Math.max(this.outbox.lastCounter, this.server.ledger.length) + 1;
    const kept = await this.outbox.add({
      clientEventId: id,
      session: "/s/",
      presentation,
      revisit: supersedes !== null,
      url: "",
      body: { client_event_id: id, counter, supersedes },
      state: "waiting",
      message: "",
      current: null,
    });
    this.given.set(presentation, id);
    await this.outbox.flush();
    return kept || this.server.ledger.some((entry) => entry.clientEventId === id);
  }

  /** The reader says of every case with two answers which one counts; the others are given up. */
  async decide(): Promise<void> {
    this.deciding = true;
    for (const entry of this.conflicts) await this.outbox.resolve(entry.presentation, this.random() < 0.5);
    this.deciding = false;
  }

  async wake(): Promise<void> {
    this.timer();
    await this.outbox.flush();
  }

  private line(entry: OutboxEntry): SendReply {
    const fate = this.trouble ? this.random() : 1;
    if (fate < 0.1) return { status: 0, body: null, message: "" };
    if (fate < 0.2)
      return { status: [400, 404, 405, 413, 451][Math.floor(fate * 50) % 5] ?? 400, body: null, message: "" };
    if (fate < 0.25) return { status: 404, body: { detail: "Not found." }, message: "" };
    if (fate < 0.3) return { status: 200, body: "<html>log in to the hotel", message: "" };
    const reply = this.server.take(entry);
    if (fate < 0.4) return { status: 502, body: null, message: "" };
    return fate < 0.5 ? this.server.take(entry) : reply;
  }

  private storage(): OutboxStorage {
    const works = <T>(act: () => T): Promise<T> =>
      this.trouble && this.random() < 0.08 ? Promise.reject(new Error("disk")) : Promise.resolve(act());
    return {
      put: (entry) => works(() => void this.disk.set(entry.clientEventId, entry)),
      remove: (id) => {
        const arrived = this.server.ledger.some((entry) => entry.clientEventId === id);
        if (this.deciding && !arrived) this.givenUp.add(id);
        return works(() => void this.disk.delete(id));
      },
      all: () => works(() => [...this.disk.values()]),
    };
  }
}

function drawn(pages: readonly [Page, Page, Page], random: () => number): Page {
  const [first, second, third] = pages;
  const at = random();
  if (at < 1 / 3) return first;
  return at < 2 / 3 ? second : third;
}

async function run(seed: number): Promise<{ given: Set<string>; server: Server; pages: Page[] }> {
  const random = randomOf(seed);
  const server = new Server();
  const atWork: Disk = new Map();
  const atHome: Disk = new Map();
  const on = (disk: Disk): Page => new Page(server, disk, random);
  const pages: [Page, Page, Page] = [on(atWork), on(atWork), on(atHome)];
  for (const page of pages) await page.load();
  const given = new Set<string>();
  for (let step = 0; step < STEPS; step += 1) {
    const page = drawn(pages, random);
    const what = random();
    if (what < 0.5) {
      const id = `${seed}-${step}`;
      if (await page.answer(`p${Math.floor(random() * CASES)}`, id)) given.add(id);
    } else if (what < 0.7) await page.wake();
    else if (what < 0.8) await page.load();
    else if (what < 0.9) server.open = !server.open;
    else await page.decide();
  }
  server.open = true;
  for (const page of pages) {
    page.trouble = false;
    for (let round = 0; round < 20; round += 1) {
      await page.load();
      await page.wake();
      await page.decide();
    }
  }
  return { given, server, pages };
}

describe("outbox in trouble", () => {
  it(`loses and doubles nothing in ${RUNS} runs`, async () => {
    let answers = 0;
    for (let seed = 1; seed <= RUNS; seed += 1) {
      const { given, server, pages } = await run(seed);
      const ids = server.ledger.map((entry) => entry.clientEventId);
      const givenUp = new Set(pages.flatMap((page) => [...page.givenUp]));
      expect(new Set(ids).size, `seed ${seed}: doubled`).toBe(ids.length);
      const lost = [...given].filter((id) => !ids.includes(id) && !givenUp.has(id));
      expect(lost, `seed ${seed}: lost`).toEqual([]);
      expect(
        pages.map((page) => page.disk.size),
        `seed ${seed}: left`,
      ).toEqual([0, 0, 0]);
      answers += ids.length;
    }
    expect(answers).toBeGreaterThan(RUNS * 4);
  });
});
