import { type DocumentOf, flag, integer, number, object } from '../documents/index.ts';
import {
  type ControlRow,
  controlRow,
  type DepthRange,
  type Grid,
  isUntouched,
  kvTokens,
  pooledGrid,
  type SiteBlock,
  type SlothfulParameters,
  siteStride,
  UNTOUCHED_REASONS,
  type UntouchedReason,
} from '../passes/index.ts';

/*
 * What Slothful Attention does to one self-attention at one step. This file, the verdict and the idle settings are all
 * that a plan knows of it: the rest of the plan counts with tokens and keys, whoever made them fewer.
 */

/** What is told of a step besides tokens, keys and reason: these fields stand beside those in the report. */
export const STEP_FACTS = {
  asked: number({ description: 'stride that the parameters ask for: a reduction of the number of keys' }),
  stride_rows: integer({ minimum: 1, description: 'with stride_columns, what realises it' }),
  stride_columns: integer({ minimum: 1 }),
  clipped: flag({ description: 'the window was larger than the grid' }),
};
const FACTS = object(STEP_FACTS);

/** Why a site is left as it is at a step. `grid`: it has one token, which nothing can reduce. */
export type PlanReason = UntouchedReason | 'grid';

const REASONS: Readonly<Record<string, string>> = {
  ...UNTOUCHED_REASONS,
  keep_middle: `${UNTOUCHED_REASONS.keep_middle} (keep_middle)`,
  grid: 'its grid is a single token',
} satisfies Record<PlanReason, string>;

/** Why a site is left alone, in words. */
export function reasonText(reason: string): string {
  return REASONS[reason] ?? reason;
}

/** What one self-attention does at one noise level. */
export interface SiteStep extends DocumentOf<typeof FACTS> {
  /** Queries of one sample. */
  readonly tokens: number;
  /** Keys and values of one sample. */
  readonly kv_tokens: number;
  /** Null where keys and values are sampled or pooled. */
  readonly reason: PlanReason | null;
}

/** What a step of a site depends on besides the noise level. */
export interface PlannedSite {
  readonly block: SiteBlock;
  readonly downscale: number;
  readonly grid: Grid;
}

/** What all sites and steps share. */
export interface StepSettings {
  readonly parameters: SlothfulParameters;
  readonly depth: DepthRange;
}

/** Foresees one self-attention at one noise level. */
export function planStep(site: PlannedSite, { parameters, depth }: StepSettings, sigma: number): SiteStep {
  const { grid } = site;
  const stride = siteStride(parameters, site, depth, sigma);
  const row = controlRow(parameters, site.block, stride.stride);
  const tokens = grid[0] * grid[1];
  const smallGrid = tokens === 1 ? 'grid' : null;
  return {
    tokens,
    kv_tokens: kvTokens(row, grid),
    reason: stride.pooled ? smallGrid : stride.reason,
    asked: stride.stride,
    stride_rows: row.strideRows,
    stride_columns: row.strideColumns,
    clipped: isClipped(row, grid),
  };
}

function isClipped(row: ControlRow, grid: Grid): boolean {
  if (isUntouched(row)) return false;
  const [rows, columns] = pooledGrid(row, grid);
  return row.strideRows > rows || row.strideColumns > columns;
}
