import { median, minimum, type Ratio } from './statistics.ts';

/** One line of the table: something measured, and what it should be at most. */
export interface Finding {
  /** The row that measured it: `convert`, `step`, ... */
  readonly row: string;
  /** What was measured of what. */
  readonly what: string;
  readonly unit: 'x' | 's' | 'ms' | 'MB' | 'bytes' | 'tokens';
  /** For a ratio that of the fastest runs, otherwise the least. It is what is held against the target. */
  readonly min: number;
  readonly median: number;
  /** At most this much. */
  readonly target?: number | undefined;
  /** The numbers behind it. */
  readonly details: Readonly<Record<string, number | string>>;
}

/** Whether a finding keeps its target; undefined where it has none. */
export function isMet({ min, target }: Finding): boolean | undefined {
  return target === undefined ? undefined : min <= target;
}

/** A finding that is a ratio of two things measured in turns. */
export function ratioFinding(
  row: string,
  what: string,
  ratio: Ratio,
  details: Finding['details'],
  target?: number,
): Finding {
  return { row, what, unit: 'x', min: ratio.min, median: ratio.median, target, details };
}

/** A finding that is a number of its own, measured several times. */
export function plainFinding(
  row: string,
  what: string,
  values: readonly number[],
  unit: Finding['unit'],
  { target, details = {} }: { target?: number; details?: Finding['details'] } = {},
): Finding {
  return { row, what, unit, min: minimum(values), median: median(values), target, details };
}
