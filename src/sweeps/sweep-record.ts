import type { SlothfulParameters } from '../passes/slothful/index.ts';
import type { Measures } from '../pictures/index.ts';
import type { RunSettings, RunSource } from '../pipeline/index.ts';
import { type Table, tableOf } from '../reports/index.ts';
import type { Axis } from './axis.ts';
import type { SweptCell } from './sweep.ts';

/** Version of sweep.json; a change that breaks readers counts it up. */
export const SWEEP_SCHEMA = 'slothful-sweep/1';

/** One combination as sweep.json has it. */
export interface CellRecord {
  readonly column: number;
  readonly row: number;
  /** The values of the axes as they were written. */
  readonly values: Readonly<Record<string, string>>;
  readonly prompt: string | null;
  readonly settings: RunSettings;
  /** Null: without Slothful Attention. */
  readonly parameters: SlothfulParameters | null;
  /** Against the same run without Slothful Attention. */
  readonly measures: Measures;
  /** Keys and values of all self-attentions in the first step. */
  readonly kv_tokens: number | null;
  /** FLOPs of all self-attentions over the run. */
  readonly attention_flops: number;
  readonly plain_attention_flops: number;
  readonly milliseconds: number;
  readonly plain_milliseconds: number;
}

/** sweep.json. */
export interface SweepRecord {
  readonly schema: typeof SWEEP_SCHEMA;
  readonly source: RunSource;
  readonly axes: ReadonlyArray<{ readonly name: string; readonly values: readonly string[] }>;
  /** True where the sweep was stopped before its last cell. */
  readonly stopped: boolean;
  readonly cells: readonly CellRecord[];
  readonly files: readonly string[];
}

/** What a sweep came to, for programs. */
export function sweepRecord(parts: {
  source: RunSource;
  axes: readonly Axis[];
  cells: readonly SweptCell[];
  stopped: boolean;
  files: readonly string[];
}): SweepRecord {
  const { source, axes, cells, stopped, files } = parts;
  return {
    schema: SWEEP_SCHEMA,
    source,
    axes: axes.map(({ name, values }) => ({ name, values: values.map(({ text }) => text) })),
    stopped,
    cells: cells.map(cellRecord),
    files,
  };
}

function cellRecord({ cell, settings, measures, kv_tokens, flops, plain, milliseconds }: SweptCell): CellRecord {
  const { column, row, values, prompt = null, parameters = null } = cell;
  return {
    ...{ column, row, values, prompt, settings, parameters, measures, kv_tokens },
    attention_flops: flops.patched,
    plain_attention_flops: flops.plain,
    milliseconds,
    plain_milliseconds: plain.milliseconds,
  };
}

/** The measures of a sweep, a row each combination. */
export function sweepTable({ axes, cells }: SweepRecord): Table {
  return tableOf<CellRecord>(
    'sweep',
    'Measures against the plain picture',
    [
      ...axes.map(({ name }) => ({ key: name, title: name, of: ({ values }: CellRecord) => values[name] ?? null })),
      { key: 'psnr_db', title: 'PSNR, dB', unit: 'number', of: ({ measures }) => measures.psnr },
      { key: 'ssim', title: 'SSIM', unit: 'number', of: ({ measures }) => measures.ssim },
      {
        key: 'high_frequency_ratio',
        title: 'fine detail',
        unit: 'factor',
        of: ({ measures }) => measures.high_frequency_ratio,
      },
      {
        key: 'gradient_similarity',
        title: 'gradients',
        unit: 'number',
        of: ({ measures }) => measures.gradient_similarity,
      },
      { key: 'kv_tokens', title: 'K/V tokens at first', unit: 'count', of: ({ kv_tokens }) => kv_tokens },
      { key: 'attention', title: 'attention', unit: 'flops', of: ({ attention_flops }) => attention_flops },
      {
        key: 'plain_attention',
        title: 'plain',
        unit: 'flops',
        of: ({ plain_attention_flops }) => plain_attention_flops,
      },
      { key: 'milliseconds', title: 'ms', unit: 'count', of: ({ milliseconds }) => milliseconds },
      {
        key: 'plain_milliseconds',
        title: 'plain ms',
        unit: 'count',
        of: ({ plain_milliseconds }) => plain_milliseconds,
      },
    ],
    cells,
  );
}
