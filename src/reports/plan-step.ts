import { cutLogits, type SurveyedSite } from '../attention/index.ts';
import { pooledGrid } from '../passes/index.ts';
import {
  type ControlRow,
  controlRow,
  type DepthRange,
  type Grid,
  isUntouched,
  kvTokens,
  type SlothfulParameters,
  siteStride,
} from '../passes/slothful/index.ts';
import type { PlanBackend, PlanReason, PlanStep } from './plan-report.ts';
import { attentionFlops, logitsBytes, type SiteWidths } from './site-cost.ts';

/** What a plan knows of one self-attention before any step. */
export interface PlannedSite {
  readonly site: Pick<SurveyedSite, 'block' | 'downscale' | 'heads'>;
  readonly widths: SiteWidths;
  readonly grid: Grid;
}

/** What all sites and steps of a plan share. */
export interface PlanSettings {
  readonly parameters: SlothfulParameters;
  readonly depth: DepthRange;
  readonly batch: number;
  readonly backend: PlanBackend;
}

/** What one self-attention does at one noise level. */
export function planStep(planned: PlannedSite, settings: PlanSettings, sigma: number): PlanStep {
  const { site, widths, grid } = planned;
  const { parameters, depth, batch, backend } = settings;
  const stride = siteStride(parameters, site, depth, sigma);
  const row = controlRow(parameters, site.block, stride.stride);
  const tokens = grid[0] * grid[1];
  const keys = kvTokens(row, grid);
  const { heads } = site;
  return {
    asked: stride.stride,
    strideRows: row.strideRows,
    strideColumns: row.strideColumns,
    reduction: tokens / keys,
    kvTokens: keys,
    flops: attentionFlops(widths, tokens, keys, batch),
    logitsBytes: heads === undefined ? null : logitsBytes(heads, tokens, keys, batch),
    peakLogitsBytes: heads === undefined ? null : peakLogits(backend, heads * batch, tokens, keys),
    reason: stride.pooled ? smallGrid(tokens) : stride.reason,
    clipped: isClipped(row, grid),
  };
}

/** Bytes of the largest logits tensor that the patched model's layer makes. */
export function peakLogits(
  { strategy, logitsLimit }: PlanBackend,
  heads: number,
  queries: number,
  keys: number,
): number {
  return cutLogits({ heads, queries, keys }, strategy, logitsLimit).logitsBytes;
}

function smallGrid(tokens: number): PlanReason | null {
  return tokens === 1 ? 'grid' : null;
}

function isClipped(row: ControlRow, grid: Grid): boolean {
  if (isUntouched(row)) return false;
  const [rows, columns] = pooledGrid(row, grid);
  return row.strideRows > rows || row.strideColumns > columns;
}
