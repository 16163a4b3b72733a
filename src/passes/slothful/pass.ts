import { type AttentionSite, type Location, locate } from '../../attention/index.ts';
import { replaceSite } from '../../attention/node/site-node.ts';
import { SlothfulError } from '../../errors.ts';
import { type Graph, outputNodes, type Pass } from '../../graph/index.ts';
import { addControlInput } from './control-input.ts';
import {
  type DepthRange,
  type PatchedSite,
  parseParameters,
  readSlothfulMetadata,
  type SlothfulMetadata,
  type SlothfulOptions,
} from './index.ts';

export const NAME = 'slothful';
const VERSION = 1;

/** What else the pass can be told. */
export interface RewriteOptions {
  /** Also put one node in the place of each cross-attention (same result; 8 times faster on wasm). Default true. */
  readonly crossAttention?: boolean;
}

/**
 * The pass that puts Slothful Attention into a UNet: each self-attention becomes one node that pools and blends its keys'
 * and values' input as the control input says.
 *
 * `await graph.transform(slothful({ in_strength: 8, out_k_blend: 0.5 }))`
 *
 * The parameters are recorded as the model's defaults: nothing of the graph depends on them, so a model that is
 * patched already is only given the new ones.
 *
 * @throws SlothfulError `bad-parameter`; on apply `unsupported` where there is no self-attention that can be rewritten
 */
export function slothful(options: SlothfulOptions = {}, { crossAttention = true }: RewriteOptions = {}): Pass {
  const parameters = parseParameters(options, 'slothful()');
  return {
    name: NAME,
    version: VERSION,
    options: parameters,
    effects: { changes: ['key', 'value'], needs: ['tokens', 'grid'] },
    apply(graph) {
      const patched = readSlothfulMetadata(graph.metadata);
      const record = patched ? { ...patched, parameters } : { ...rewrite(graph, crossAttention), parameters };
      graph.setMetadata({ ...graph.metadata, slothful: record });
    },
  };
}

function rewrite(graph: Graph, crossAttention: boolean): Omit<SlothfulMetadata, 'parameters'> {
  const outputs = outputNodes(graph);
  const location = locate(graph);
  const self = location.sites.filter((site) => site.kind === 'self');
  const cross = crossAttention ? location.sites.filter((site) => site.kind === 'cross') : [];
  const depth = depthRange(location, self);
  const control = addControlInput(graph, self.length);
  const sites = self.map((site, row) => record(site, replaceSite(graph, site, row, control)));
  cross.forEach((site, index) => {
    replaceSite(graph, site, self.length + index, undefined);
  });
  graph.prune(outputs);
  return { control: control.node, ...depth, sites };
}

function depthRange({ rejections, top, deep }: Location, self: readonly AttentionSite[]): DepthRange {
  if (self.length && top !== undefined && deep !== undefined) return { top, deep };
  const first = rejections[0];
  const why = first
    ? `${rejections.length} softmax nodes were rejected, "${first.softmax}" because ${first.reason} (at "${first.node}")`
    : 'it has no softmax that could be an attention';
  throw new SlothfulError(
    'unsupported',
    'the graph',
    `has no self-attention to patch: ${why}`,
    'run "slothful inspect" on it',
  );
}

function record(site: AttentionSite, node: string): PatchedSite {
  const { id, block, level, downscale, heads = 1, headDim = site.channels, channels, scope } = site;
  return { id, block, level, downscale, heads, headDim, channels, node, scope };
}
