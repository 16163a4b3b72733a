/** How much longer one thing takes than another. */
export interface Ratio {
  /** Of the fastest run of each: the one that others on the machine disturbed least. */
  readonly min: number;
  /** The median of the ratios of runs that followed each other. */
  readonly median: number;
}

/** The least of some values; NaN of none. */
export function minimum(values: readonly number[]): number {
  return values.length ? Math.min(...values) : Number.NaN;
}

/** The middle value, the mean of the middle two where there is none; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** The ratio of measurements taken in turns: the first of `a` beside the first of `b`, and so on. */
export function ratioOf(a: readonly number[], b: readonly number[]): Ratio {
  const pairs = a.map((value, index) => value / (b[index] ?? Number.NaN)).filter((value) => !Number.isNaN(value));
  return { min: minimum(a) / minimum(b), median: median(pairs) };
}

/** The values of a report that are numbered, from the first on: `<turn>/seconds` of every turn. */
export function seriesOf(values: Readonly<Record<string, number>>, name: (index: number) => string): number[] {
  const found: number[] = [];
  for (let next = values[name(0)]; next !== undefined; next = values[name(found.length)]) found.push(next);
  return found;
}
