import { controlRow, type SlothfulMetadata, type SlothfulParameters, siteStride } from '../passes/slothful/index.ts';
import type { DenoiseStep } from '../sampling/index.ts';

/** What one self-attention did in one step. */
export interface SiteStep {
  readonly id: string;
  readonly tokens: number;
  readonly kv_tokens: number;
  /** The stride that the parameters ask for. */
  readonly stride: number;
  /** The strides that realise it, by rows and columns of tokens. */
  readonly stride_rows: number;
  readonly stride_columns: number;
}

/** One step as run.json has it. */
export interface StepRecord {
  readonly index: number;
  readonly timestep: number;
  readonly sigma: number;
  readonly milliseconds: number;
  /** Keys and values of all patched self-attentions, and how many they would be without; null for a plain run. */
  readonly kv_tokens: number | null;
  readonly tokens: number | null;
  readonly sites: readonly SiteStep[];
}

/**
 * What is kept of a step.
 *
 * @param patch what the model says of its patch, and the parameters of this run; undefined for a plain run
 */
export function recordStep(
  { index, timestep, sigma, milliseconds, sites }: DenoiseStep,
  patch: { metadata: SlothfulMetadata; parameters: SlothfulParameters } | undefined,
): StepRecord {
  const kept = patch ? sites : [];
  const total = (of: (site: DenoiseStep['sites'][number]) => number) =>
    patch ? kept.reduce((sum, site) => sum + of(site), 0) : null;
  return {
    ...{ index, timestep, sigma, milliseconds: Math.round(milliseconds * 10) / 10 },
    kv_tokens: total(({ kvTokens }) => kvTokens),
    tokens: total(({ tokens }) => tokens),
    sites: kept.map(({ id, tokens, kvTokens }, row) => ({
      ...{ id, tokens, kv_tokens: kvTokens },
      ...stridesOf(patch, row, sigma),
    })),
  };
}

function stridesOf(
  patch: { metadata: SlothfulMetadata; parameters: SlothfulParameters } | undefined,
  row: number,
  sigma: number,
) {
  const site = patch?.metadata.sites[row];
  if (!patch || !site) return { stride: 1, stride_rows: 1, stride_columns: 1 };
  const { stride } = siteStride(patch.parameters, site, patch.metadata, sigma);
  const { strideRows, strideColumns } = controlRow(patch.parameters, site.block, stride);
  return { stride, stride_rows: strideRows, stride_columns: strideColumns };
}
