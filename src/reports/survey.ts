import { type AttentionSite, locate, type Rejection } from '../attention/index.ts';
import { executionOrder, type Graph } from '../graph/index.ts';
import { readSlothfulMetadata, type SlothfulMetadata } from '../passes/slothful/index.ts';
import { outProjection } from './out-projection.ts';
import { patchedSites } from './patched-sites.ts';
import type { SurveyedSite } from './site.ts';

/** Every attention of a graph, in the order of execution, and what the graph says of its patch. */
export interface Survey {
  readonly sites: readonly SurveyedSite[];
  readonly rejections: readonly Rejection[];
  /** Downscale of the shallowest and of the deepest self-attention; undefined where there is none. */
  readonly top: number | undefined;
  readonly deep: number | undefined;
  readonly patch: SlothfulMetadata | undefined;
}

/**
 * Finds the attentions of a graph, plain or patched.
 *
 * @param place the model's path, for messages
 * @throws SlothfulError `bad-model` where the graph's record of its patch cannot be read, `bad-graph`
 */
export function surveyGraph(graph: Graph, place?: string): Survey {
  const patch = readSlothfulMetadata(graph.metadata, place);
  const { order } = executionOrder(graph);
  const { sites: plain, rejections } = locate(graph);
  const found = [...plain.map((site) => ofAttention(graph, site)), ...patchedSites(graph, order, patch)];
  const position = new Map(order.map(({ name }, index) => [name, index] as const));
  const sites = found.toSorted((a, b) => (position.get(a.node) ?? 0) - (position.get(b.node) ?? 0));
  const scales = sites.filter(({ kind }) => kind === 'self').map(({ downscale }) => downscale);
  const range = patch ?? (scales.length ? { top: Math.min(...scales), deep: Math.max(...scales) } : undefined);
  return { sites, rejections, top: range?.top, deep: range?.deep, patch };
}

function ofAttention(graph: Graph, site: AttentionSite): SurveyedSite {
  const { scope, softmax, grid, scale: _, outputForm: __, ...rest } = site;
  return {
    ...rest,
    exporterName: scope,
    node: softmax,
    out: outProjection(graph, site.output),
    grid: grid && { from: 'tensor', endpoint: grid },
    row: undefined,
    patched: false,
  };
}
