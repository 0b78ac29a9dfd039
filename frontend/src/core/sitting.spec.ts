import { describe, expect, it } from "vitest";

import type { Sitting } from "./sitting";
import { comingCases, currentCase, lastCase, phase, previousCase, progress } from "./sitting";

/** A server with an ordered list of cases, as the contract has it. */
class Server {
  readonly done: string[] = [];
  constructor(readonly cases: readonly string[]) {}

  view(): Sitting["server"] {
    const open = this.cases.filter((token) => !this.done.includes(token));
    return {
      progress: { done: this.done.length, total: this.cases.length },
      state: open.length > 0 ? "open" : "finished",
      next: open.slice(0, 2),
      previous: this.cases.filter((token) => this.done.includes(token)).at(-1) ?? null,
    };
  }
}

const at = (server: Sitting["server"], pending: string[] = [], revisiting: string | null = null): Sitting => ({
  server,
  pending: pending.map((presentation) => ({ presentation, revisit: false })),
  revisiting,
});

describe("sitting", () => {
  const start = new Server(["a", "b", "c"]).view();

  it("goes on to the next case before the server has confirmed the last", () => {
    expect(currentCase(at(start))).toBe("a");
    expect(comingCases(at(start))).toEqual(["b"]);
    expect(currentCase(at(start, ["a"]))).toBe("b");
    expect(progress(at(start, ["a"]))).toEqual({ done: 1, total: 3 });
  });

  it("knows the last case as soon as the server has named it, and still when all are answered", () => {
    const server = new Server(["a", "b", "c"]);
    expect(lastCase(server.view())).toBeNull();
    server.done.push("a");
    expect(lastCase(server.view())).toBe("c");
    server.done.push("b");
    expect(lastCase(server.view())).toBe("c");
    server.done.push("c");
    expect(lastCase(server.view())).toBe("c");
    expect(lastCase({ ...server.view(), previous: null })).toBeNull();
    expect(lastCase({ ...start, state: "closed", next: [] })).toBeNull();
  });

  it("says that it is saving when no further case is known, and is finished only when the server says so", () => {
    expect(phase(at(start, ["a", "b"]))).toBe("saving");
    const server = new Server(["a"]);
    expect(phase(at(server.view(), ["a"]))).toBe("saving");
    server.done.push("a");
    expect(phase(at(server.view()))).toBe("finished");
  });

  it("shows every case exactly once, whenever the confirmations come", () => {
    for (const lag of [0, 1, 2]) {
      const server = new Server(["a", "b", "c", "d", "e"]);
      const pending: string[] = [];
      const shown: string[] = [];
      let view = server.view();
      const confirm = (): void => {
        const token = pending.shift();
        if (token !== undefined) server.done.push(token);
        view = server.view();
      };
      while (phase(at(view, pending)) !== "finished") {
        const token = currentCase(at(view, pending));
        if (token === null) confirm();
        else {
          shown.push(token);
          pending.push(token);
          if (pending.length > lag) confirm();
        }
      }
      expect(shown).toEqual(server.cases);
    }
  });

  it("goes back one case, also to one that is still being saved, and then on to where it was", () => {
    expect(previousCase(at(start))).toBeNull();
    expect(previousCase(at(start, ["a"]))).toBe("a");
    const again = at(start, ["a"], "a");
    expect(currentCase(again)).toBe("a");
    expect(comingCases(again)).toEqual(["b"]);
    expect(previousCase(again)).toBeNull();
  });

  it("does not count a corrected answer twice", () => {
    const server = new Server(["a", "b", "c"]);
    server.done.push("a");
    const sitting: Sitting = {
      server: server.view(),
      pending: [{ presentation: "a", revisit: true }],
      revisiting: null,
    };
    expect(progress(sitting)).toEqual({ done: 1, total: 3 });
    expect(currentCase(sitting)).toBe("b");
  });

  it("stops when the study is closed", () => {
    expect(phase(at({ ...start, state: "closed" }))).toBe("closed");
  });
});
