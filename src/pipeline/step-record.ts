import { controlRow, type SlothfulMetadata, type SlothfulParameters, siteStride } from '../passes/slothful/index.ts';
import type { DenoiseStep } from '../sampling/index.ts';
import type { StepRecord } from './run-document.ts';

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
