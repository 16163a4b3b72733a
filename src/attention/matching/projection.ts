import { type Endpoint, type GraphNode, parseEquation, readInts, readString, readStrings } from '../../graph/index.ts';
import type { ChannelPart } from '../site.ts';
import { digitsOf, type IndexAxis, joinDigits, type KnownLayout } from './axis-layout.ts';
import { type Context, type Problem, problem } from './context.ts';
import { adjoints, isProduct } from './products.ts';
import { outputOf } from './walk.ts';

/** A product with a constant weight that makes queries, keys or values. */
export interface ProjectionNode {
  readonly node: GraphNode;
  readonly input: Endpoint;
  /** It reads its input transposed: [B, C, N]. */
  readonly turned: boolean;
  readonly weight: Endpoint;
  readonly transposed: boolean;
  /** A bias that is fused into the product. */
  readonly bias: Endpoint | undefined;
  readonly inputChannels: number;
  readonly channels: number;
  /** The channels of the product that are left after cuts; undefined: all. */
  readonly part: ChannelPart | undefined;
  /** Heads and their width where the weight has them apart. */
  readonly apart: { readonly heads: number; readonly headDim: number } | undefined;
  /** The layout of the product's result. */
  readonly layout: KnownLayout;
}

/** Reads the node that made the queries, keys or values as their projection, or says what it is instead. */
export function projectionOf(context: Context, source: Endpoint, role: Role): ProjectionNode | Problem {
  const node = context.producer(source);
  if (!node) return problem(source.node, `the ${role.name} come from a node that is not there`);
  if (node.op === 'Einsum') return einsumProjection(context, node, role);
  if (isProduct(node)) return matrixProjection(context, node, role);
  if (node.op === 'Conv2D' || node.op === '_FusedConv2D') return convProjection(context, node, role);
  return problem(node.name, otherSource(node, role));
}

function matrixProjection(context: Context, node: GraphNode, role: Role): ProjectionNode | Problem {
  const [input, weight, bias] = node.inputs;
  const { left, right } = adjoints(node);
  if (!input || !weight || context.isConstant(input) || !context.isConstant(weight)) return noWeight(node, role);
  const shape = context.shapes.shape(weight);
  if (shape?.length !== 2) return badWeight(node, role, shape);
  if (left && context.shapes.dims(input)?.length !== 3) {
    return problem(node.name, `the ${role.name} are projected from a transposed tensor`);
  }
  const fused = fusedBias(context, node, bias, role);
  if (fused && 'problem' in fused) return fused;
  const [inputChannels = 0, channels = 0] = right ? shape.toReversed() : shape;
  return {
    node,
    input,
    turned: left,
    weight,
    transposed: right,
    bias: fused,
    inputChannels,
    channels,
    part: undefined,
    apart: undefined,
    layout: channelsLast(context, node, role),
  };
}

function convProjection(context: Context, node: GraphNode, role: Role): ProjectionNode | Problem {
  const [input, weight, bias] = node.inputs;
  if (!input || !weight || !context.isConstant(weight)) return noWeight(node, role);
  const shape = context.shapes.shape(weight);
  const [rows, columns, inputChannels = 0, channels = 0] = shape ?? [];
  if (rows !== 1 || columns !== 1) return badWeight(node, role, shape);
  if (readInts(node.attributes, 'strides').some((stride) => stride !== 1)) {
    return problem(node.name, `the ${role.name} are made by a convolution with a stride`);
  }
  if (readString(node.attributes, 'data_format', 'NHWC').toUpperCase() !== 'NHWC') {
    return problem(node.name, `the ${role.name} are made by a convolution in NCHW, which TF.js does not compute`);
  }
  const fused = fusedBias(context, node, bias, role);
  if (fused && 'problem' in fused) return fused;
  const layout = channelsLast(context, node, role);
  return {
    node,
    input,
    turned: false,
    weight,
    transposed: false,
    bias: fused,
    inputChannels,
    channels,
    part: undefined,
    apart: undefined,
    layout,
  };
}

/** `abc,cde->abde` and its kin: one dimension of the input, its last, is summed with the first of the weight. */
function einsumProjection(context: Context, node: GraphNode, role: Role): ProjectionNode | Problem {
  const [input, weight] = node.inputs;
  if (!input || !weight || context.isConstant(input) || !context.isConstant(weight)) return noWeight(node, role);
  const text = readString(node.attributes, 'equation');
  const equation = parseEquation(text);
  const shape = context.shapes.shape(weight);
  const { left = '', right = '', result = '' } = equation ?? {};
  const [inner] = left.slice(-1);
  const made = [...right].filter((label) => label !== inner);
  const transposed = right.length === 2 && right[1] === inner;
  const isPlain = right[0] === inner || transposed;
  const keeps =
    [...left.slice(0, -1), ...made].every((label) => result.includes(label)) && !result.includes(inner ?? '');
  const disjoint = made.every((label) => !left.includes(label));
  if (!isPlain || !keeps || !disjoint || !shape || shape.length !== right.length || made.length > 3) {
    return problem(node.name, `the ${role.name} come from an Einsum "${text}", which is not read as a projection`);
  }
  const sizes = made.map((label) => shape[right.indexOf(label)] ?? 0);
  const [heads = 1, headDim = 1] = sizes;
  return {
    node,
    input,
    turned: false,
    weight,
    transposed,
    bias: undefined,
    inputChannels: shape[right.indexOf(inner ?? '')] ?? 0,
    channels: sizes.reduce((product, size) => product * size, 1),
    part: undefined,
    apart: sizes.length === 2 ? { heads, headDim } : undefined,
    layout: einsumLayout(context, node, role, { tokens: left.slice(0, -1), made: made.join(''), result }),
  };
}

function einsumLayout(
  context: Context,
  node: GraphNode,
  role: Role,
  { tokens, made, result }: { tokens: string; made: string; result: string },
): KnownLayout {
  const shape = context.shapes.shape(outputOf(node));
  if (!shape) return undefined;
  const sizesOf = (labels: string) => [...labels].map((label) => shape[result.indexOf(label)] ?? 1);
  const token = digitsOf(`${role.side}.token`, sizesOf(tokens));
  const channel = digitsOf(`${role.side}.channel`, sizesOf(made));
  const digit = (label: string) => (made.includes(label) ? channel[made.indexOf(label)] : token[tokens.indexOf(label)]);
  return [...result].map((label) => joinDigits([digit(label)].filter((item) => item !== undefined)));
}

/** The layout of a product whose last dimension is the channels. */
function channelsLast(context: Context, node: GraphNode, role: Role): KnownLayout {
  const shape = context.shapes.shape(outputOf(node));
  if (!shape) return undefined;
  const axis = (kind: 'token' | 'channel'): IndexAxis => `${role.side}.${kind}`;
  const digits = [...digitsOf(axis('token'), shape.slice(0, -1)), ...digitsOf(axis('channel'), shape.slice(-1))];
  return digits.map((digit) => joinDigits([digit]));
}

function fusedBias(
  context: Context,
  node: GraphNode,
  bias: Endpoint | undefined,
  role: Role,
): Endpoint | Problem | undefined {
  if (!node.op.startsWith('_Fused')) return undefined;
  const ops = readStrings(node.attributes, 'fused_ops');
  const other = ops.find((op) => op !== 'BiasAdd');
  if (other) return problem(node.name, `the ${role.name} pass a ${other} that is fused into their projection`);
  if (!ops.length) return undefined;
  return bias && context.isConstant(bias) ? bias : problem(node.name, `the ${role.name} have a bias that varies`);
}

function noWeight(node: GraphNode, role: Role): Problem {
  return problem(node.name, `the ${role.name} come from a product without a constant weight`);
}

function badWeight(node: GraphNode, role: Role, shape: readonly number[] | undefined): Problem {
  const text = shape ? `of shape [${shape}]` : 'whose shape is not known';
  return problem(node.name, `the ${role.name} come from a ${node.op} with a weight ${text}`);
}

/** Which operand of the products a projection makes, and what it is called in messages. */
export interface Role {
  readonly side: 'left' | 'right' | 'value';
  readonly name: 'queries' | 'keys' | 'values';
}

/** What keys and values are whose heads are repeated for several heads of queries. */
export function sharedHeads({ op }: GraphNode, { name }: Pick<Role, 'name'>): string {
  return `the ${name} are repeated (${op}): several heads share them, as in grouped-query or multi-query attention`;
}

/** Why the queries, keys or values are not a projection. */
export function otherSource(node: GraphNode, { name }: Pick<Role, 'name'>): string {
  if (/^(Add|AddV2|Sub|AddN)$/.test(node.op)) return `the ${name} are a sum of tensors (an adapter that is not fused?)`;
  if (/^(Tile|BroadcastTo)$/.test(node.op)) return sharedHeads(node, { name });
  if (node.op === 'Mul') return `the ${name} are multiplied by another tensor (a rotary position, a norm?)`;
  if (node.op.startsWith('Placeholder')) return `the ${name} are an input of the graph, without a projection`;
  return `the ${name} come from a ${node.op}, not from a projection`;
}
