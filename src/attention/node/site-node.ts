import { SlothfulError } from '../../errors.ts';
import { type Attribute, type Attributes, attr, type Endpoint, endpoint, type Graph } from '../../graph/index.ts';
import type { AttentionSite, TokenForm } from '../index.ts';
import {
  ATTRIBUTE_TYPES,
  type HiddenForm,
  inputFlags,
  type NodeAttributes,
  type NodeInputs,
  orderInputs,
  SLOTHFUL_OP,
} from './contract.ts';

/**
 * Puts one `SlothfulAttention` node in the place of an attention: from the hidden states to the merged heads.
 *
 * What only the old attention used is left without users; pruning removes it.
 *
 * @param row row of the control table, or for a cross-attention its number in reports
 * @param control the control input; a cross-attention has none
 * @returns the new node's name
 * @throws SlothfulError `unsupported` where the constants that tell heads or scale are not known, or there is no grid
 */
export function replaceSite(graph: Graph, site: AttentionSite, row: number, control: Endpoint | undefined): string {
  const name = graph.uniqueName(`slothful/${site.id}`);
  const cross = site.kind === 'cross';
  const inputs: NodeInputs<Endpoint> = {
    hiddenStates: site.hiddenStates,
    ...(cross ? { context: site.context } : { control }),
    queryWeight: site.query.weight,
    keyWeight: site.key.weight,
    valueWeight: site.value.weight,
    queryBias: site.query.bias,
    keyBias: site.key.bias,
    valueBias: site.value.bias,
    grid: gridShape(graph, site),
  };
  const attributes = encodeAttributes({ ...inputFlags(inputs), ...describeSite(site), site: row });
  const made = graph.add({ name, op: SLOTHFUL_OP, inputs: orderInputs(inputs), attributes });
  graph.redirect(site.output, made);
  return name;
}

/** Whether a site can be replaced at all; the reason where it cannot. */
export function obstacleOf(site: AttentionSite): string | undefined {
  if (site.heads === undefined) return 'its number of heads is in a constant whose values are not known';
  if (site.scale === undefined) return 'its scale is in a constant whose values are not known';
  if (!site.grid) return 'no rank-4 tensor tells its grid';
  const { query, key, value } = site;
  if (query.transposed !== key.transposed || query.transposed !== value.transposed) {
    return 'its projections are spelled in different ways';
  }
  return undefined;
}

function describeSite(
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
    outputForm: site.outputForm,
  };
}

function hiddenForm(site: AttentionSite, form: TokenForm): HiddenForm {
  if (form !== 'heads') return form;
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

function encodeAttributes(values: NodeAttributes): Attributes {
  const encode = (value: unknown, type: 'int' | 'float' | 'bool' | 'string'): Attribute => {
    if (type === 'int') return attr.int(Number(value));
    if (type === 'float') return attr.float(Number(value));
    return type === 'bool' ? attr.bool(value === true) : attr.string(String(value));
  };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, encode(value, typeOf(name))]));
}

function typeOf(name: string): 'int' | 'float' | 'bool' | 'string' {
  const types: Record<string, 'int' | 'float' | 'bool' | 'string'> = ATTRIBUTE_TYPES;
  return types[name] ?? 'string';
}
