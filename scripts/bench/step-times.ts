import type { JobReport } from './report.ts';

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
    const found: number[] = [];
    for (let turn = 0; turn < 100; turn++) {
      const value = values[`${way}/${turn}/${name}`];
      if (value !== undefined) found.push(value);
    }
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
