import {
  type ControlRow,
  controlRow,
  type Grid,
  kvTokens,
  type SiteBlock,
  type SlothfulParameters,
  siteStride,
} from '../../src/passes/slothful/index.ts';
import { readJson } from './fixtures.ts';

/** A case of fixtures/pooling/kv.json: one site at one sigma, run by the original. */
export interface PoolingCase {
  readonly name: string;
  readonly family: 'sd15' | 'sdxl';
  readonly latent: [number, number];
  readonly level: number;
  readonly grid: [number, number];
  readonly block: SiteBlock;
  readonly sigma: number;
  readonly params: SlothfulParameters;
  readonly unchanged?: boolean;
  readonly kv_tokens?: number;
  readonly reference_error?: string;
}

/** Cases in which the original takes its shortcut for blends of 1 and 1. */
export const SHORTCUT_CASES: readonly string[] = ['c380', 'c381'];

export const DEPTHS = { sd15: { top: 1, deep: 8 }, sdxl: { top: 2, deep: 4 } } as const;

export function poolingCases(): PoolingCase[] {
  return readJson<PoolingCase[]>('pooling/kv.json');
}

/** The row that our arithmetic gives for a case, and how many tokens it leaves. */
export function ownRow(each: PoolingCase, compat?: 'comfyui'): { row: ControlRow; tokens: number } {
  const parameters = compat ? { ...each.params, compat } : each.params;
  const site = { block: each.block, downscale: 2 ** each.level };
  const { stride } = siteStride(parameters, site, DEPTHS[each.family], each.sigma);
  const grid: Grid = each.grid;
  const row = controlRow(parameters, each.block, stride);
  return { row, tokens: kvTokens(row, grid) };
}
