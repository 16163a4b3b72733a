import type { FamilyName } from '../checkpoint/family.ts';
import type { Finding } from './finding.ts';

/** Says what is being done, on stderr. */
export type Log = (line: string) => void;

export interface RowOptions {
  /** The families to measure, in order. */
  readonly families: readonly FamilyName[];
  /** Fewer repetitions and smaller pictures. */
  readonly quick: boolean;
  readonly log: Log;
}

/** A row of the benchmark. */
export interface Row {
  readonly name: string;
  /** What it measures, for --help. */
  readonly describe: string;
  /** Whether it works on full-size models, which are made one family at a time. */
  readonly fullSize: boolean;
  run(options: RowOptions): Promise<Finding[]>;
}

export const MEGABYTE = 1_000_000;
