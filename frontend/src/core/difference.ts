/** after - before, voxel by voxel; both volumes lie on the same grid. */
export function difference(after: Int16Array, before: Int16Array): Int16Array {
  if (after.length !== before.length) throw new RangeError("The two scans do not have the same size.");
  const result = new Int16Array(after.length);
  for (let i = 0; i < result.length; i += 1) {
    result[i] = Math.min(32767, Math.max(-32768, (after[i] ?? 0) - (before[i] ?? 0)));
  }
  return result;
}
