import type { SlothfulParameters } from '../passes/slothful/index.ts';
import type { Measures } from '../pictures/index.ts';
import type { RunOutcome } from './execute.ts';
import type { AttentionFlops } from './plan-run.ts';
import type { RunSettings } from './settings.ts';
import type { StepRecord } from './step-record.ts';

/** Version of run.json; a change that breaks readers counts it up. */
export const RUN_SCHEMA = 'slothful-run/1';

/** What the run of a user was, in words and names. */
export interface RunSource {
  /** Version of this package. */
  readonly version: string;
  readonly model: string;
  readonly family: string | null;
  readonly backend: { readonly name: string; readonly device: string };
  readonly prompt: string | null;
  readonly negative_prompt: string | null;
  /** Files of tensors. */
  readonly cond: string | null;
  readonly uncond: string | null;
  /** What else steered it. */
  readonly companions: RunCompanions;
}

/** The companions of a run; none: an empty list and nulls. */
export interface RunCompanions {
  readonly controlnets: ReadonlyArray<{ readonly model: string; readonly image: string; readonly scale: number }>;
  /** Whether the ControlNets' own self-attentions were patched. */
  readonly controlnets_patched: boolean;
  /** File of an IP-Adapter's image embeddings. */
  readonly image_embeds: string | null;
  readonly ip_adapter_scale: number | null;
}

/** run.json: all that is needed to make the same pictures again, and what every step did. */
export interface RunRecord extends RunSource {
  readonly schema: typeof RUN_SCHEMA;
  readonly settings: RunSettings;
  /** Slothful Attention's; null for a plain run. */
  readonly parameters: SlothfulParameters | null;
  /** True where the run was stopped before its last step. */
  readonly stopped: boolean;
  readonly milliseconds: number;
  /** Of the steps that were done, as they ran; null where the graph does not tell. */
  readonly attention_flops: AttentionFlops | null;
  readonly steps: readonly StepRecord[];
  /** The plain run beside it, where one was asked for, and how each image compares with its. */
  readonly plain: { readonly milliseconds: number; readonly steps: readonly StepRecord[] } | null;
  readonly measures: readonly Measures[] | null;
  /** What lies beside run.json. */
  readonly files: readonly string[];
}

/** What a record is made of. */
export interface RecordParts extends Pick<RunRecord, 'settings' | 'parameters' | 'files'> {
  readonly source: RunSource;
  readonly outcome: RunOutcome;
  readonly plain?: RunOutcome | undefined;
  readonly flops?: AttentionFlops | undefined;
  readonly measures?: readonly Measures[] | undefined;
}

/** The record of a run. */
export function runRecord(parts: RecordParts): RunRecord {
  const { source, settings, parameters, outcome, plain, flops, measures, files } = parts;
  return {
    schema: RUN_SCHEMA,
    ...source,
    settings,
    parameters,
    stopped: outcome.stopped || plain?.stopped === true,
    milliseconds: totalMilliseconds(outcome),
    attention_flops: flops ?? null,
    steps: outcome.steps,
    plain: plain ? { milliseconds: totalMilliseconds(plain), steps: plain.steps } : null,
    measures: measures ?? null,
    files,
  };
}

/** Time of all steps. */
export function totalMilliseconds({ steps }: RunOutcome): number {
  return Math.round(steps.reduce((sum, { milliseconds }) => sum + milliseconds, 0));
}
