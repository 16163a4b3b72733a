/**
 * Solves a few linear equations, by Gauss' elimination with the largest pivot.
 *
 * @param rows one an equation: the factors of the unknowns, then the right side
 */
export function solveLinear(rows: readonly (readonly number[])[]): number[] {
  const left = rows.map((row) => [...row]);
  const done = rows.map((_, column) => {
    const size = (row: readonly number[]) => Math.abs(row[column] ?? 0);
    const largest = left.reduce((best, row, index) => (size(row) > size(left[best] ?? []) ? index : best), 0);
    const [pivot = []] = left.splice(largest, 1);
    for (const row of left) subtract(row, pivot, (row[column] ?? 0) / (pivot[column] ?? 0));
    return pivot;
  });
  const unknowns: number[] = rows.map(() => 0);
  for (const [column, row] of [...done.entries()].reverse()) {
    const known = unknowns.reduce((sum, value, index) => sum + value * (row[index] ?? 0), 0);
    unknowns[column] = ((row[rows.length] ?? 0) - known) / (row[column] ?? 0);
  }
  return unknowns;
}

function subtract(row: number[], pivot: readonly number[], factor: number): void {
  for (const [index, value] of pivot.entries()) row[index] = (row[index] ?? 0) - factor * value;
}
