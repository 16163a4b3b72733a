import { type AttentionStage, type PatchedSite, readAttentionRecord } from '../../attention/index.ts';
import type { ParameterValues } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import type { Pass } from '../../graph/index.ts';
import type { SiteFacts } from '../definition.ts';
import { makePass } from '../make-pass.ts';
import { moduleNames } from '../module-names.ts';
import { builtInPass } from '../registry.ts';
import { namePattern } from './name-pattern.ts';

const NAME = 'pag';

/** PAG's parameters: diffusers' `pag_scale`, `pag_adaptive_scale` and `pag_applied_layers`. */
export const PAG_PARAMETERS = {
  scale: {
    type: 'number',
    default: 3,
    min: 0,
    max: 100,
    step: 0.1,
    help: 'by how much the run is steered away from what the perturbed attentions give; 0 turns the pass off',
  },
  adaptive_scale: {
    type: 'number',
    default: 0,
    min: 0,
    max: 1,
    step: 0.001,
    help: 'what the scale loses for each timestep below 1000',
  },
  layers: {
    type: 'text',
    default: 'mid',
    maxLength: 400,
    help: 'which self-attentions are perturbed: a part of their names, as mid or down_blocks.2|up_blocks.1.attentions.0',
  },
} as const;

type Parameters = ParameterValues<typeof PAG_PARAMETERS>;
export type PagOptions = Partial<Parameters>;

/** Whose output is the values of its own tokens, in the last part of the batch. */
const STAGE: AttentionStage = {
  name: NAME,
  order: 10,
  columns: [{ name: 'perturbed_share', default: 0 }],
  effects: { changes: ['guidance'], needs: [] },
  size: (size, { 0: share = 0 }) => ({ ...size, items: (size.items ?? 1) * (1 - share) }),
  unattended: ({ batch }, { 0: share = 0 }) => Math.round(batch * share),
};

/**
 * Perturbed-attention guidance: the model computes what is asked for twice, the second time with chosen self-attentions that
 * see nothing but their own token, and the run is steered away from that. The perturbed part is never pooled or tiled.
 *
 * Source: Ahn et al., "Self-Rectifying Diffusion Sampling with Perturbed-Attention Guidance"; diffusers, `PAGMixin` (Apache-2.0).
 */
export const PAG = builtInPass({
  name: NAME,
  version: 1,
  summary: 'perturbed-attention guidance: a run is steered away from what self-attentions give that see one token each',
  parameters: PAG_PARAMETERS,
  stage: STAGE,
  edit(graph, { layers }) {
    chosenSites(readAttentionRecord(graph)?.sites.filter(({ kind }) => kind === 'self') ?? [], layers);
  },
  rows({ sites, parameters: { layers, scale }, parts = [] }) {
    const chosen = scale > 0 ? chosenSites(sites, layers) : new Set();
    const share = parts.at(-1) === 'perturbed' ? 1 / parts.length : 0;
    return sites.map((site) => [chosen.has(site) ? share : 0]);
  },
  explain({ sites, parameters: { layers, scale } }, site): SiteFacts {
    const perturbed = scale > 0 && chosenSites(sites, layers).has(site);
    return { facts: { perturbed }, reason: perturbed ? null : 'layers' };
  },
  steers(timestep, { scale, adaptive_scale }) {
    return scale > 0 ? Math.max(0, scale - adaptive_scale * (1000 - timestep)) : undefined;
  },
});

/**
 * The pass that puts perturbed-attention guidance into a UNet. A second time it only replaces the recorded parameters.
 *
 * `await graph.transform(pag({ scale: 3, layers: 'mid' }))`
 *
 * @throws SlothfulError `bad-parameter`, also where no self-attention has such a name; on apply as `slothful`
 */
export function pag(options: PagOptions = {}): Pass {
  return makePass(PAG, options);
}

/** @throws SlothfulError `bad-parameter` where there is none */
function chosenSites(sites: readonly PatchedSite[], layers: string): ReadonlySet<PatchedSite> {
  const matches = namePattern(layers, `${NAME} layers`);
  const names = moduleNames(sites);
  const chosen = sites.filter((site) => matches(names.get(site) ?? ''));
  if (chosen.length) return new Set(chosen);
  const blocks = new Set([...names.values()].map((name) => name.split('.').slice(0, 2).join('.')));
  const problem = `no self-attention of this model is named "${layers}"`;
  throw new SlothfulError('bad-parameter', `${NAME} layers`, problem, `they are in ${[...blocks].join(', ')}`);
}
