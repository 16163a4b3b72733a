import type { PlanReport, PlanStep } from '../reports/index.ts';
import type { Field } from './table.ts';
import { formatValue } from './units.ts';

/*
 * What tables and pages show of a step besides tokens, keys and cost: the facts of Slothful Attention. All that they know
 * of them is here.
 */

/** Columns of the table that has a row a site and step. */
export const STEP_FACT_FIELDS: readonly Field<PlanStep>[] = [
  { key: 'asked', title: 'stride asked', unit: 'factor', of: ({ asked }) => asked },
  { key: 'stride_rows', title: 'rows', unit: 'count', of: ({ stride_rows }) => stride_rows },
  { key: 'stride_columns', title: 'columns', unit: 'count', of: ({ stride_columns }) => stride_columns },
];

/** Columns of the table of sites, which has room for the first step only. */
export const FIRST_FACT_FIELDS: readonly Field<PlanStep>[] = [
  { key: 'asked', title: 'asked', unit: 'factor', of: ({ asked }) => asked },
];

/** What has a value of its own at nearly every step. */
export const SERIES_FIELDS: readonly Field<PlanStep>[] = [
  { key: 'asked', title: 'stride asked', unit: 'number', of: ({ asked }) => asked },
];

/** What comes in few values over a run: as a text, and as the number to sort by. */
export const STATE_FIELDS: readonly (Field<PlanStep> & { readonly value: (step: PlanStep) => number })[] = [
  {
    key: 'strides',
    title: 'rows x columns',
    unit: 'count',
    of: ({ stride_rows, stride_columns }) => `${stride_rows} x ${stride_columns}`,
    value: ({ stride_rows, stride_columns }) => stride_rows * stride_columns,
  },
];

/** What happens to a site at a step, in words. */
export function stepText({ reason, clipped }: PlanStep, reasons: PlanReport['reasons']): string {
  const text = reason === null ? 'pooled' : `left alone: ${reasons[reason] ?? reason}`;
  return clipped ? `${text}; the window is clipped to the grid` : text;
}

/** Why a site has the keys that it has at a step, in a few words. */
export function whyText({ reason, asked }: PlanStep, reasons: PlanReport['reasons']): string {
  return reason === null ? `asked ${formatValue(asked, 'factor')}` : (reasons[reason] ?? reason);
}
