import type { SurveyedSite } from '../attention/index.ts';
import { type Graph, sizeOf } from '../graph/index.ts';

const FLOAT_BYTES = 4;

/** Widths of the projections of a site: what its FLOPs depend on besides the tokens. */
export interface SiteWidths {
  readonly hidden: number;
  readonly context: number;
  readonly query: number;
  readonly value: number;
  /** Width that leaves the output projection; 0 where there is none. */
  readonly out: number;
}

/** Reads the widths of a site from the shapes of its weights. */
export function siteWidths(graph: Graph, site: SurveyedSite): SiteWidths {
  const { channels, contextChannels } = site;
  const size = (weight: { node: string }) => sizeOf(graph.weight(weight.node)?.shape ?? []);
  const value = size(site.value.weight) / contextChannels;
  return {
    hidden: size(site.query.weight) / channels,
    context: contextChannels,
    query: channels,
    value,
    out: site.out ? size(site.out.weight) / value : 0,
  };
}

/**
 * FLOPs of an attention with its four projections, two for each multiply-add: linear in the number of keys.
 *
 * @param tokens queries of one sample
 * @param keys keys and values of one sample
 */
export function attentionFlops(widths: SiteWidths, tokens: number, keys: number, batch: number): number {
  const { hidden, context, query, value, out } = widths;
  const projections = tokens * (hidden * query + value * out) + keys * context * (query + value);
  return 2 * batch * (projections + tokens * keys * (query + value));
}

/** Bytes of all logits of an attention at once: [batch, heads, tokens, keys] in float32. */
export function logitsBytes(heads: number, tokens: number, keys: number, batch: number): number {
  return batch * heads * tokens * keys * FLOAT_BYTES;
}

/** Names of the weights of an attention: projections and their biases. */
export function siteWeights({ query, key, value, out }: SurveyedSite): string[] {
  const projections = out ? [query, key, value, out] : [query, key, value];
  return projections.flatMap(({ weight, bias }) => (bias ? [weight.node, bias.node] : [weight.node]));
}
