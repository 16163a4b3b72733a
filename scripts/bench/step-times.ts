import type { JobReport } from './report.ts';
import { seriesOf } from './statistics.ts';

/** What a step job measured of one way: seconds and CPU seconds by turn, without the one that warmed up. */
export interface StepTimes {
  readonly seconds: readonly number[];
  readonly cpu: readonly number[];
  readonly kv: number;
  readonly tokens: number;
  /** Peak memory after the way's first run, in bytes. */
  readonly rss: number;
}

/** Reads a way's numbers out of the report of a step job. Where there was one turn only, it counts. */
export function stepTimes({ values }: JobReport, way: string): StepTimes {
  const series = (name: string): number[] => {
    const found = seriesOf(values, (turn) => `${way}/${turn}/${name}`);
    return found.length > 1 ? found.slice(1) : found;
  };
  const number = (name: string) => values[`${way}/${name}`] ?? Number.NaN;
  return {
    seconds: series('seconds'),
    cpu: series('cpu'),
    kv: number('kv'),
    tokens: number('tokens'),
    rss: number('rss'),
  };
}
