/** How many square images stand beside each other so that each is as large as possible. */
export interface Tiling {
  readonly columns: number;
  readonly rows: number;
}

/** Of equally large ones the one with the fewest empty places. */
export function tilingOf(images: number, width: number, height: number): Tiling {
  const possible = Array.from({ length: Math.max(1, images) }, (_, index) => {
    const columns = index + 1;
    const rows = Math.ceil(images / columns);
    return { columns, rows, edge: Math.min(width / columns, height / rows), empty: columns * rows - images };
  });
  const [best] = possible.sort((one, other) => other.edge - one.edge || one.empty - other.empty);
  return { columns: best?.columns ?? 1, rows: best?.rows ?? 1 };
}
