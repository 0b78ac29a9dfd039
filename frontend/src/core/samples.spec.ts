import { describe, expect, it } from "vitest";

import { decodeSamples } from "./samples";

// Made by readerstudy/blinding/wire.py of these samples, with jumps over the whole range of HU.
const SAMPLES = [-1024, 1500, -967, 1015, 1500, 1500, 566, -303, 1448, -888, -1024, -57];
const SENT = [255, 184, 69, 124, 184, 183, 250, 69, 103, 63, 60, 88, 7, 19, 19, 15, 19, 19, 11, 22, 0, 18, 6, 14];

describe("samples as they travel", () => {
  it("gives back what the server compressed", () => {
    const decoded = decodeSamples(Uint8Array.from(SENT).buffer, "gradient", 4);
    expect([...new Int16Array(decoded)]).toEqual(SAMPLES);
  });

  it("leaves samples of earlier studies as they are", () => {
    const bytes = Int16Array.from(SAMPLES).buffer;
    expect(decodeSamples(bytes, "int16", 4)).toBe(bytes);
  });
});
