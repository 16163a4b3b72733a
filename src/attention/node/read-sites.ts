import { type Endpoint, endpoint, type Graph, type GraphNode } from '../../graph/index.ts';
import { type OutProjection, outProjection } from '../out-projection.ts';
import type { AttentionSite, Block, ChannelPart } from '../site.ts';
import {
  ATTENTION_OP,
  type NodeAttributes,
  type NodeInputs,
  nameInputs,
  partsOf,
  readAttributes,
  stagesOf,
} from './contract.ts';
import { type AttentionRecord, placeOfId } from './record.ts';
import { innerWidth, outerWidth } from './shape-rule.ts';

/** Where the rows and columns of a site's tokens are told: a tensor whose pixels they are, or a tensor that holds its shape. */
export interface GridSource {
  readonly from: 'tensor' | 'shape';
  readonly endpoint: Endpoint;
}

/** One attention of a graph as the reports see it, whether it is spelled in stock ops or one node. */
export interface SurveyedSite
  extends Pick<AttentionSite, 'hiddenStates' | 'hiddenForm' | 'context' | 'contextForm' | 'query' | 'key' | 'value'> {
  readonly kind: 'self' | 'cross';
  /** `input.1.0.0`: block, level, attention of that block and level, transformer block in it; `.cross` for a cross one. */
  readonly id: string;
  /** The exporter's name scope; for a patched cross-attention that of its weights. */
  readonly exporterName: string;
  /** The softmax, or the `SlothfulAttention` node. */
  readonly node: string;
  readonly block: Block;
  readonly level: number;
  readonly downscale: number;
  readonly heads: number | undefined;
  readonly headDim: number | undefined;
  /** Why heads or scale are not known, in words. */
  readonly unknown: string | undefined;
  readonly channels: number;
  readonly contextChannels: number;
  /** The projection that the merged heads go into; undefined where none was found. */
  readonly out: OutProjection | undefined;
  readonly output: Endpoint;
  readonly grid: GridSource | undefined;
  /** Row of the control table of an attention that is a node. */
  readonly row: number | undefined;
  /** It is an attention node. */
  readonly patched: boolean;
  /** The stages that passes attached to it, in the order in which they act. */
  readonly stages: readonly string[];
}

/**
 * The attentions of a graph that are one node each, in the order of the nodes given.
 *
 * @param nodes attention nodes; others are passed over
 * @param record what the model says of them
 * @throws SlothfulError `bad-graph` where a node does not have the inputs that its attributes say
 */
export function readNodeSites(
  graph: Graph,
  nodes: readonly GraphNode[],
  record: AttentionRecord | undefined,
): SurveyedSite[] {
  return nodes.filter(({ op }) => op === ATTENTION_OP).map((node) => readSite(graph, node, record));
}

function readSite(graph: Graph, node: GraphNode, record: AttentionRecord | undefined): SurveyedSite {
  const attributes = readAttributes(node);
  const inputs = nameInputs(node.inputs, attributes, `node "${node.name}"`);
  const { heads, transposeWeights: transposed } = attributes;
  const parts = partsOf(attributes);
  const projection = (weight: Endpoint, bias: Endpoint | undefined, part: ChannelPart | undefined) => {
    return { weight, bias, transposed, part };
  };
  const shapeOf = ({ node: weight }: Endpoint) => graph.weight(weight)?.shape ?? [];
  const channels = innerWidth(shapeOf(inputs.queryWeight), transposed, parts.query) ?? Number.NaN;
  const output = endpoint(node.name);
  return {
    kind: attributes.cross ? 'cross' : 'self',
    ...placeOf(node, attributes, inputs, record),
    node: node.name,
    heads,
    headDim: channels / heads,
    unknown: undefined,
    channels,
    contextChannels: outerWidth(shapeOf(inputs.keyWeight), transposed) ?? Number.NaN,
    hiddenStates: inputs.hiddenStates,
    hiddenForm: attributes.hiddenForm,
    context: inputs.context ?? inputs.hiddenStates,
    contextForm: inputs.context ? attributes.contextForm : attributes.hiddenForm,
    query: projection(inputs.queryWeight, inputs.queryBias, parts.query),
    key: projection(inputs.keyWeight, inputs.keyBias, parts.key),
    value: projection(inputs.valueWeight, inputs.valueBias, parts.value),
    out: outProjection(graph, output),
    output,
    grid: inputs.grid && { from: 'shape', endpoint: inputs.grid },
    row: attributes.site,
    patched: true,
    stages: stagesOf(attributes, inputs.control !== undefined).map(([stage]) => stage),
  };
}

/** Block and level by the record of the site, or else by its id. */
function placeOf(
  node: GraphNode,
  { id, site }: NodeAttributes,
  inputs: NodeInputs<Endpoint>,
  record: AttentionRecord | undefined,
): Pick<SurveyedSite, 'id' | 'block' | 'level' | 'downscale' | 'exporterName'> {
  const own = record?.sites[site];
  if (own?.node === node.name) {
    const { block, level, downscale, scope } = own;
    return { id: own.id, block, level, downscale, exporterName: scope };
  }
  return { id: id || node.name, ...placeOfId(id), exporterName: scopeOfWeights(inputs) };
}

/** The name scope that the projection weights share: what the exporter called the attention. */
function scopeOfWeights({ queryWeight, keyWeight, valueWeight }: NodeInputs<Endpoint>): string {
  const paths = [queryWeight, keyWeight, valueWeight].map(({ node }) => node.split('/').slice(0, -1));
  const [first = [], ...others] = paths;
  const length = first.findIndex((part, index) => others.some((path) => path[index] !== part));
  return (length < 0 ? first : first.slice(0, length)).join('/') || queryWeight.node;
}
