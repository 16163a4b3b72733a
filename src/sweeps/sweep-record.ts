import {
  type DocumentOf,
  flag,
  integer,
  list,
  named,
  nullable,
  number,
  object,
  ownDocument,
  table,
  text,
} from '../documents/index.ts';
import { type Table, tableOf } from '../pages/index.ts';
import { PASS_PARAMETERS } from '../passes/index.ts';
import { MEASURES } from '../pictures/index.ts';
import { RUN_PARAMETERS, RUN_SOURCE, type RunSource } from '../pipeline/index.ts';
import { RUN_SETTINGS } from '../sampling/index.ts';
import type { Axis } from './axis.ts';
import type { SweptCell } from './sweep.ts';

/** One combination as sweep.json has it. */
const CELL_RECORD = named(
  'cell',
  object({
    column: integer({ minimum: 0 }),
    row: integer({ minimum: 0 }),
    values: table(text(), { description: 'the values of the axes as they were written' }),
    prompt: nullable(text()),
    settings: RUN_SETTINGS,
    parameters: nullable(RUN_PARAMETERS, { description: 'null: without Slothful Attention' }),
    passes: PASS_PARAMETERS,
    measures: MEASURES,
    kv_tokens: nullable(integer(), { description: 'keys and values of all self-attentions in the first step' }),
    attention_flops: number({ description: 'of all self-attentions over the run' }),
    plain_attention_flops: number(),
    milliseconds: number({ minimum: 0 }),
    plain_milliseconds: number({ minimum: 0 }),
  }),
);
type CellRecord = DocumentOf<typeof CELL_RECORD>;

/** sweep.json. */
export const SWEEP_DOCUMENT = ownDocument('sweep', 1, {
  source: RUN_SOURCE,
  axes: list(object({ name: text(), values: list(text()) })),
  stopped: flag({ description: 'true where the sweep was stopped before its last cell' }),
  cells: list(CELL_RECORD, { description: 'each measured against the same run without Slothful Attention' }),
  files: list(text()),
});
export type SweepRecord = DocumentOf<typeof SWEEP_DOCUMENT>;

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
    schema: SWEEP_DOCUMENT.properties.schema.const,
    source,
    axes: axes.map(({ name, values }) => ({ name, values: values.map(({ text }) => text) })),
    stopped,
    cells: cells.map(cellRecord),
    files,
  };
}

function cellRecord({ cell, settings, measures, kv_tokens, flops, plain, milliseconds }: SweptCell): CellRecord {
  const { column, row, values, prompt = null, parameters = null, passes } = cell;
  return {
    ...{ column, row, values, prompt, settings, parameters, passes, measures, kv_tokens },
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
