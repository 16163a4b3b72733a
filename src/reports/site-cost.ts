import type { SurveyedSite } from '../attention/index.ts';
import { type Endpoint, type Graph, isConcrete, type ShapeTable, sizeOf } from '../graph/index.ts';
import type { Grid } from '../passes/index.ts';

/** How many tokens a site has at a size; undefined where it cannot be told, with the reason. */
export interface SiteTokens {
  /** Rows and columns of the queries. */
  readonly grid: Grid | undefined;
  /** Queries of one sample. */
  readonly tokens: number | undefined;
  /** Keys and values of one sample, before any pooling. */
  readonly contextTokens: number | undefined;
  readonly reason: string | undefined;
}

/** Counts the tokens of a site by the shapes of a graph at a size. */
export function siteTokens(site: SurveyedSite, shapes: ShapeTable, batch: number): SiteTokens {
  const grid = gridOf(site, shapes);
  const tokens = grid ? grid[0] * grid[1] : count(shapes, site.hiddenStates, site.hiddenForm, batch);
  const contextTokens = site.kind === 'self' ? tokens : count(shapes, site.context, site.contextForm, batch);
  const unknown = tokens === undefined ? site.hiddenStates : site.context;
  const reason = tokens === undefined || contextTokens === undefined ? shapes.reason(unknown) : undefined;
  return { grid, tokens, contextTokens, reason };
}

function gridOf({ grid }: SurveyedSite, shapes: ShapeTable): Grid | undefined {
  if (!grid) return undefined;
  const shape = grid.from === 'tensor' ? shapes.shape(grid.endpoint) : shapes.values(grid.endpoint);
  const [, rows, columns] = shape ?? [];
  return rows === undefined || columns === undefined ? undefined : [rows, columns];
}

function count(shapes: ShapeTable, of: Endpoint, form: SurveyedSite['hiddenForm'], batch: number): number | undefined {
  const dims = shapes.dims(of);
  if (!dims) return undefined;
  if (form === 'grid') return product(dims.slice(1, -1));
  if (form === 'channels-first') return dims[2];
  return form === 'flat' ? product(dims.slice(0, -1), batch) : dims[1];
}

function product(dims: readonly (number | undefined)[], by = 1): number | undefined {
  return isConcrete(dims) ? dims.reduce((total, size) => total * size, 1) / by : undefined;
}

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
  const share = ({ part }: SurveyedSite['value']) => (part ? part.length / part.period : 1);
  const value = (size(site.value.weight) * share(site.value)) / contextChannels;
  return {
    hidden: (size(site.query.weight) * share(site.query)) / channels,
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
