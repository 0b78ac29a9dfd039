/** The samples of a slice as they travel: see `samples` of a presentation. */
export type SamplesForm = "int16" | "gradient";

export function decodeSamples(bytes: ArrayBuffer, form: SamplesForm, columns: number): ArrayBuffer {
  return form === "gradient" ? undone(new Uint8Array(bytes), columns) : bytes;
}

/** Each sample stands as its difference to left + above - above left, the sign in the last bit; low bytes first. */
function undone(bytes: Uint8Array, columns: number): ArrayBuffer {
  const count = bytes.length / 2;
  // It keeps 16 bits of a sum, as the other side did.
  const samples = new Int16Array(count);
  for (let start = 0; start < count; start += columns) {
    const above = start - columns;
    let row = 0;
    for (let at = start; at < start + columns; at += 1) {
      const folded = (bytes[at] ?? 0) | ((bytes[at + count] ?? 0) << 8);
      row += (folded >>> 1) ^ -(folded & 1);
      samples[at] = above < 0 ? row : row + (samples[at - columns] ?? 0);
    }
  }
  return samples.buffer;
}
