import type { Measures } from '../pictures/index.ts';
import type { RunOutcome } from './execute.ts';
import { type AttentionFlops, RUN_DOCUMENT, type RunRecord, type RunSource } from './run-document.ts';

/** What a record is made of. */
export interface RecordParts extends Pick<RunRecord, 'settings' | 'parameters' | 'files'> {
  /** The other passes that acted; default: none. */
  readonly passes?: RunRecord['passes'] | undefined;
  readonly source: RunSource;
  readonly outcome: RunOutcome;
  readonly plain?: RunOutcome | undefined;
  readonly flops?: AttentionFlops | undefined;
  readonly measures?: readonly Measures[] | undefined;
  readonly decoder?: RunRecord['decoder'] | undefined;
  readonly phases?: RunRecord['phases'] | undefined;
  readonly next?: RunRecord['next'] | undefined;
}

/** The record of a run. */
export function runRecord(parts: RecordParts): RunRecord {
  const {
    source,
    settings,
    parameters,
    passes = {},
    outcome,
    plain,
    flops,
    measures,
    decoder,
    phases,
    files,
    next,
  } = parts;
  return {
    schema: RUN_DOCUMENT.properties.schema.const,
    ...source,
    settings,
    parameters,
    passes,
    ...(next?.length ? { next } : {}),
    stopped: outcome.stopped || plain?.stopped === true,
    milliseconds: totalMilliseconds(outcome),
    attention_flops: flops ?? null,
    steps: outcome.steps,
    plain: plain ? { milliseconds: totalMilliseconds(plain), steps: plain.steps } : null,
    measures: measures ?? null,
    ...(decoder ? { decoder } : {}),
    ...(phases ? { phases } : {}),
    files,
  };
}

/** Time of all steps. */
export function totalMilliseconds({ steps }: RunOutcome): number {
  return Math.round(steps.reduce((sum, { milliseconds }) => sum + milliseconds, 0));
}
