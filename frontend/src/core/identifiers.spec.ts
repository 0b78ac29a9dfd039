import { describe, expect, it } from "vitest";

import { uuid4 } from "./identifiers";

describe("event ids", () => {
  it("are version 4 and do not repeat", () => {
    const ids = Array.from({ length: 1000 }, () => uuid4(globalThis.crypto));
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(new Set(ids).size).toBe(1000);
  });
});
