import type { Block } from '../attention/index.ts';
import {
  HIDDEN_FORMS,
  type NodeAttributes,
  type NodeInputs,
  nameInputs,
  OUTPUT_FORMS,
  SLOTHFUL_OP,
} from '../attention/node/contract.ts';
import { type Endpoint, endpoint, type Graph, type GraphNode, readBool, readInt, readString } from '../graph/index.ts';
import type { SlothfulMetadata } from '../passes/slothful/index.ts';
import { outProjection } from './out-projection.ts';
import type { SurveyedSite } from './site.ts';

/**
 * The attentions of a patched graph that are one `SlothfulAttention` node each, in the order of the nodes given.
 *
 * @param nodes of the op `SlothfulAttention`; others are passed over
 * @param metadata what the model says of its patch
 * @throws SlothfulError `bad-graph` where a node has not the inputs that its attributes say
 */
export function patchedSites(
  graph: Graph,
  nodes: readonly GraphNode[],
  metadata: SlothfulMetadata | undefined,
): SurveyedSite[] {
  return nodes.filter(({ op }) => op === SLOTHFUL_OP).map((node) => readSite(graph, node, metadata));
}

function readSite(graph: Graph, node: GraphNode, metadata: SlothfulMetadata | undefined): SurveyedSite {
  const attributes = readAttributes(node);
  const inputs = nameInputs(node.inputs, attributes, `node "${node.name}"`);
  const { heads, transposeWeights: transposed } = attributes;
  const projection = (weight: Endpoint, bias: Endpoint | undefined) => ({ weight, bias, transposed });
  const channels = outerWidth(graph, inputs.queryWeight, transposed);
  const output = endpoint(node.name);
  return {
    kind: attributes.cross ? 'cross' : 'self',
    ...placeOf(node, attributes, inputs, metadata),
    node: node.name,
    heads,
    headDim: channels / heads,
    unknown: undefined,
    channels,
    contextChannels: innerWidth(graph, inputs.keyWeight, transposed),
    hiddenStates: inputs.hiddenStates,
    hiddenForm: attributes.hiddenForm,
    context: inputs.context ?? inputs.hiddenStates,
    contextForm: inputs.context ? attributes.contextForm : attributes.hiddenForm,
    query: projection(inputs.queryWeight, inputs.queryBias),
    key: projection(inputs.keyWeight, inputs.keyBias),
    value: projection(inputs.valueWeight, inputs.valueBias),
    out: outProjection(graph, output),
    output,
    grid: inputs.grid && { from: 'shape', endpoint: inputs.grid },
    row: attributes.cross ? undefined : attributes.site,
    patched: true,
  };
}

function readAttributes({ attributes }: GraphNode): NodeAttributes {
  const form = <F extends string>(name: keyof NodeAttributes, forms: readonly F[], fallback: F): F =>
    forms.find((each) => each === readString(attributes, name).toLowerCase()) ?? fallback;
  const flag = (name: keyof NodeAttributes) => readBool(attributes, name);
  return {
    heads: Math.max(1, readInt(attributes, 'heads', 1)),
    scale: Number(attributes.scale?.f ?? Number.NaN),
    site: readInt(attributes, 'site'),
    id: readString(attributes, 'id'),
    cross: flag('cross'),
    queryBias: flag('queryBias'),
    keyBias: flag('keyBias'),
    valueBias: flag('valueBias'),
    transposeWeights: flag('transposeWeights'),
    hiddenForm: form('hiddenForm', HIDDEN_FORMS, 'tokens'),
    contextForm: form('contextForm', HIDDEN_FORMS, 'tokens'),
    outputForm: form('outputForm', OUTPUT_FORMS, 'tokens'),
  };
}

/** Block and level by the metadata's record of the site, or else by its id. */
function placeOf(
  node: GraphNode,
  { id, site, cross }: NodeAttributes,
  inputs: NodeInputs<Endpoint>,
  metadata: SlothfulMetadata | undefined,
): Pick<SurveyedSite, 'id' | 'block' | 'level' | 'downscale' | 'exporterName'> {
  const record = cross ? undefined : metadata?.sites[site];
  if (record?.node === node.name) {
    const { block, level, downscale, scope } = record;
    return { id: record.id, block, level, downscale, exporterName: scope };
  }
  const level = Number(/^[a-z]+\.(\d+)\./.exec(id)?.[1] ?? 0);
  const exporterName = scopeOfWeights(inputs);
  return { id: id || node.name, block: blockOfId(id), level, downscale: 2 ** level, exporterName };
}

function blockOfId(id: string): Block {
  const [name] = id.split('.');
  return name === 'input' || name === 'output' ? name : 'middle';
}

/** The name scope that the projection weights share: what the exporter called the attention. */
function scopeOfWeights({ queryWeight, keyWeight, valueWeight }: NodeInputs<Endpoint>): string {
  const paths = [queryWeight, keyWeight, valueWeight].map(({ node }) => node.split('/').slice(0, -1));
  const [first = [], ...others] = paths;
  const length = first.findIndex((part, index) => others.some((path) => path[index] !== part));
  return (length < 0 ? first : first.slice(0, length)).join('/') || queryWeight.node;
}

function outerWidth(graph: Graph, { node }: Endpoint, transposed: boolean): number {
  const shape = graph.weight(node)?.shape ?? [];
  if (transposed) return shape[0] ?? Number.NaN;
  return shape.length === 3 ? (shape[1] ?? 0) * (shape[2] ?? 0) : (shape.at(-1) ?? Number.NaN);
}

function innerWidth(graph: Graph, { node }: Endpoint, transposed: boolean): number {
  const shape = graph.weight(node)?.shape ?? [];
  if (transposed) return shape.at(-1) ?? Number.NaN;
  return (shape.length === 4 ? shape[2] : shape[0]) ?? Number.NaN;
}
