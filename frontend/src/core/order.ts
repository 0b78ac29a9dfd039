/** The slice that is looked at first, then its neighbours, outwards to both ends. */
export function outwardFrom(start: number, count: number): number[] {
  const first = Math.min(count - 1, Math.max(0, start));
  const order = count > 0 ? [first] : [];
  for (let distance = 1; order.length < count; distance += 1) {
    if (first + distance < count) order.push(first + distance);
    if (first - distance >= 0) order.push(first - distance);
  }
  return order;
}
