/** Edges between marked and unmarked pixels, as line segments on the pixel grid: column0, row0, column1, row1, ...
Runs along one grid line are joined, so that a large region costs few segments. */
export function maskOutline(mask: Uint8Array, columns: number, rows: number): number[] {
  const marked = (column: number, row: number): boolean =>
    column >= 0 && row >= 0 && column < columns && row < rows && (mask[row * columns + column] ?? 0) > 0;
  const segments: number[] = [];
  for (let row = 0; row <= rows; row += 1) {
    collectRuns(
      columns,
      (column) => marked(column, row - 1) !== marked(column, row),
      (from, to) => segments.push(from, row, to, row),
    );
  }
  for (let column = 0; column <= columns; column += 1) {
    collectRuns(
      rows,
      (row) => marked(column - 1, row) !== marked(column, row),
      (from, to) => segments.push(column, from, column, to),
    );
  }
  return segments;
}

function collectRuns(
  length: number,
  isEdge: (index: number) => boolean,
  emit: (from: number, to: number) => void,
): void {
  let from = -1;
  for (let index = 0; index <= length; index += 1) {
    const edge = index < length && isEdge(index);
    if (edge && from < 0) from = index;
    if (!edge && from >= 0) {
      emit(from, index);
      from = -1;
    }
  }
}
