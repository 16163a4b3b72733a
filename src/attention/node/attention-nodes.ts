import { SlothfulError } from '../../errors.ts';
import { attr, type Endpoint, endpoint, type Graph, outputNodes, type Pass } from '../../graph/index.ts';
import { locate } from '../locate.ts';
import type { AttentionSite, Location, TokenForm } from '../site.ts';
import {
  ATTENTION_OP,
  encodeAttributes,
  encodeParts,
  type HiddenForm,
  inputFlags,
  type NodeAttributes,
  type NodeInputs,
  type OutputForm,
  orderInputs,
} from './contract.ts';
import { readAttentionRecord } from './read-record.ts';
import { type AttentionRecord, type PatchedSite, writeAttentionRecord } from './record.ts';

const NAME = 'attention';

/** Which attentions become nodes. */
export interface AttentionNodesOptions {
  /** Also cross-attentions (same result; 8 times faster on wasm). Default true. */
  readonly crossAttention?: boolean;
}

/**
 * The pass that puts one neutral node in the place of each attention: from the hidden states to the merged heads, with the
 * same result and faster. Passes that change attentions attach their stages to these nodes.
 *
 * `await graph.transform(attentionNodes())`; on a graph that has such nodes it changes nothing.
 *
 * @throws SlothfulError on apply, `unsupported` where there is no self-attention that can be replaced
 */
export function attentionNodes({ crossAttention = true }: AttentionNodesOptions = {}): Pass {
  return {
    name: NAME,
    version: 1,
    options: { cross_attention: crossAttention },
    apply(graph) {
      const known = readAttentionRecord(graph);
      if (known) return writeAttentionRecord(graph, known);
      const { record, left } = placeNodes(graph, crossAttention);
      writeAttentionRecord(graph, record);
      return left.length ? { left } : undefined;
    },
  };
}

/** An attention that stays as it was, and why. */
interface LeftSite {
  readonly softmax: string;
  readonly reason: string;
}

function placeNodes(graph: Graph, crossAttention: boolean): { record: AttentionRecord; left: LeftSite[] } {
  const outputs = outputNodes(graph);
  const location = locate(graph);
  const left = leftOf(location);
  const fit = location.sites.filter((site) => !obstacleOf(site));
  const self = fit.filter(({ kind }) => kind === 'self');
  if (!self.length) throw nothingToReplace(location);
  const cross = crossAttention ? fit.filter(({ kind }) => kind === 'cross') : [];
  const sites = [...self, ...cross].map((site, row) => recordOf(site, placeNode(graph, site, row)));
  graph.prune(outputs);
  const { top, deep } = location;
  return { record: { control: undefined, columns: [], top, deep, sites }, left };
}

/** What a rewrite passes over. */
function leftOf({ sites, rejections }: Location): LeftSite[] {
  const obstacles = sites.flatMap((site) => {
    const reason = obstacleOf(site);
    return reason === undefined ? [] : [{ softmax: site.softmax, reason }];
  });
  return [...obstacles, ...rejections.map(({ softmax, reason }) => ({ softmax, reason }))];
}

function nothingToReplace({ sites, rejections }: Location): SlothfulError {
  const first = rejections[0];
  const [site] = sites.filter((each) => each.kind === 'self');
  if (site) {
    const place = `site "${site.id}" at "${site.scope}"`;
    throw new SlothfulError('unsupported', place, `cannot be rewritten: ${obstacleOf(site)}`);
  }
  const why = first
    ? `${rejections.length} softmax nodes were rejected, "${first.softmax}" because ${first.reason} (at "${first.node}")`
    : 'it has no softmax that could be an attention';
  const cure = 'run "slothful inspect" on it';
  return new SlothfulError('unsupported', 'the graph', `has no self-attention to patch: ${why}`, cure);
}

function recordOf(site: AttentionSite, node: string): PatchedSite {
  const { kind, id, block, level, downscale, heads = 1, headDim = site.channels, channels, scope } = site;
  return { kind, id, block, level, downscale, heads, headDim, channels, node, scope };
}

/**
 * Puts a node in the place of an attention. What only the old attention used is left without users; pruning removes it.
 *
 * @returns the new node's name
 * @throws SlothfulError `unsupported` where the constants that tell heads or scale are not known, or there is no grid
 */
function placeNode(graph: Graph, site: AttentionSite, row: number): string {
  const inputs: NodeInputs<Endpoint> = {
    hiddenStates: site.hiddenStates,
    ...(site.kind === 'cross' ? { context: contextOf(graph, site) } : {}),
    queryWeight: site.query.weight,
    keyWeight: site.key.weight,
    valueWeight: site.value.weight,
    queryBias: site.query.bias,
    keyBias: site.key.bias,
    valueBias: site.value.bias,
    grid: gridShape(graph, site),
  };
  const attributes = encodeAttributes({ ...inputFlags(inputs), ...attributesOf(site), site: row });
  const name = graph.uniqueName(`slothful/${site.id}`);
  graph.redirect(site.output, graph.add({ name, op: ATTENTION_OP, inputs: orderInputs(inputs), attributes }));
  return name;
}

/** The context with its channels last: turned where they come first. */
function contextOf(graph: Graph, { id, context, contextForm }: AttentionSite): Endpoint {
  if (contextForm !== 'channels-first') return context;
  const order = { dtype: 'int32', shape: [3], values: [0, 2, 1] } as const;
  const name = graph.uniqueName(`slothful/${id}/context`);
  const inputs = [context, graph.addConstant(`${name}/order`, order)];
  return graph.add({
    name,
    op: 'Transpose',
    inputs,
    attributes: { T: attr.type('float32'), Tperm: attr.type('int32') },
  });
}

/** Why a site cannot be replaced; undefined where it can. */
export function obstacleOf(site: AttentionSite): string | undefined {
  const apart = [site.hiddenForm, site.contextForm].some((form) => form === 'heads' || form === 'grid-heads');
  if (apart) return 'its hidden states come with heads apart';
  if (site.heads === undefined) return 'its number of heads is in a constant whose values are not known';
  if (site.scale === undefined) return 'its scale is in a constant whose values are not known';
  if (!site.grid) return 'no rank-4 tensor tells its grid';
  const { query, key, value } = site;
  if (query.transposed !== key.transposed || query.transposed !== value.transposed) {
    return 'its projections are spelled in different ways';
  }
  return undefined;
}

/** Whether `attentionNodes` has something to do in a graph, and nothing that it cannot do. */
export function canBecomeNodes(graph: Graph): boolean {
  if (readAttentionRecord(graph)) return false;
  const { sites } = locate(graph);
  return sites.some(({ kind }) => kind === 'self') && sites.every((site) => !obstacleOf(site));
}

function attributesOf(
  site: AttentionSite,
): Omit<NodeAttributes, 'site' | 'cross' | 'queryBias' | 'keyBias' | 'valueBias'> {
  const obstacle = obstacleOf(site);
  const { heads, scale } = site;
  if (obstacle || heads === undefined || scale === undefined) {
    throw new SlothfulError('unsupported', `site "${site.id}" at "${site.scope}"`, `cannot be rewritten: ${obstacle}`);
  }
  return {
    id: site.id,
    heads,
    scale,
    transposeWeights: site.query.transposed,
    hiddenForm: hiddenForm(site, site.hiddenForm),
    contextForm: hiddenForm(site, site.contextForm),
    outputForm: outputForm(site),
    stages: [],
    columns: [],
    parts: encodeParts({ query: site.query.part, key: site.key.part, value: site.value.part }),
  };
}

function outputForm({ id, outputForm: form }: AttentionSite): OutputForm {
  if (form !== 'channels-first') return form;
  throw new SlothfulError('unsupported', `site "${id}"`, 'its merged heads come with channels first');
}

function hiddenForm(site: AttentionSite, form: TokenForm): HiddenForm {
  if (form === 'channels-first') return 'tokens';
  if (form !== 'heads' && form !== 'grid-heads') return form;
  throw new SlothfulError('unsupported', `site "${site.id}"`, 'its hidden states come with heads apart');
}

/** The shape of the site's grid as an int32 tensor: one node for all sites of that grid. */
function gridShape(graph: Graph, site: AttentionSite): Endpoint | undefined {
  if (!site.grid) return undefined;
  const { node, output } = site.grid;
  const existing = graph.consumers(node).find((use) => use.node.op === 'Shape' && use.output === output);
  if (existing) return endpoint(existing.node.name);
  const attributes = { T: attr.type('float32'), out_type: attr.type('int32') };
  return graph.add({ name: graph.uniqueName(`slothful/grid/${node}`), op: 'Shape', inputs: [site.grid], attributes });
}
