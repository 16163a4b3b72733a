import { executionOrder, type Graph } from '../graph/index.ts';
import { locate } from './locate.ts';
import { readAttentionRecord } from './node/read-record.ts';
import { readNodeSites, type SurveyedSite } from './node/read-sites.ts';
import type { AttentionRecord } from './node/record.ts';
import { outProjection } from './out-projection.ts';
import type { AttentionSite, Rejection } from './site.ts';

/** Every attention of a graph, in the order of execution, and what the graph says of those that are nodes. */
export interface Survey {
  readonly sites: readonly SurveyedSite[];
  readonly rejections: readonly Rejection[];
  /** Downscale of the shallowest and of the deepest self-attention; undefined where there is none. */
  readonly top: number | undefined;
  readonly deep: number | undefined;
  readonly record: AttentionRecord | undefined;
}

/**
 * Finds the attentions of a graph, spelled in stock ops or as attention nodes.
 *
 * @param place the model's path, for messages
 * @throws SlothfulError `bad-model` where the graph's record of its nodes cannot be read, `bad-graph`
 */
export function surveyGraph(graph: Graph, place?: string): Survey {
  const record = readAttentionRecord(graph, place);
  const { order } = executionOrder(graph);
  const { sites: plain, rejections } = locate(graph);
  const found = [...plain.map((site) => ofAttention(graph, site)), ...readNodeSites(graph, order, record)];
  const position = new Map(order.map(({ name }, index) => [name, index] as const));
  const sites = found.toSorted((a, b) => (position.get(a.node) ?? 0) - (position.get(b.node) ?? 0));
  const scales = sites.filter(({ kind }) => kind === 'self').map(({ downscale }) => downscale);
  const top = record?.top ?? (scales.length ? Math.min(...scales) : undefined);
  const deep = record?.deep ?? (scales.length ? Math.max(...scales) : undefined);
  return { sites, rejections, top, deep, record };
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
    stages: [],
  };
}
