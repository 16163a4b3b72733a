import {
  type DType,
  endpoint,
  formatEndpoint,
  type Graph,
  type GraphNode,
  isObject,
  outputNodes,
  parseInput,
  readShape,
  readType,
} from '../graph/index.ts';

/** One input of a model. */
export interface ModelInput {
  /** What callers feed it as: its key in the signature, or the name of its node. */
  readonly name: string;
  /** Name of its node. */
  readonly node: string;
  /** -1 where any size will do; undefined where the model does not tell the rank. */
  readonly shape: readonly number[] | undefined;
  readonly dtype: DType;
  /** It has a default. */
  readonly optional: boolean;
}

/** One output of a model. */
export interface ModelOutput {
  /** Its key in the signature, or the name of its node. */
  readonly name: string;
  /** The tensor, as TF.js is asked for it: `node` or `node:1`. */
  readonly tensor: string;
}

/** The inputs of a model: its placeholders, under the names that the signature gives them. */
export function signatureInputs(graph: Graph): ModelInput[] {
  const keys = new Map(tensorsOf(graph.signature?.inputs).map(({ key, node }) => [node, key] as const));
  return [...graph.nodes]
    .filter((node) => node.op.startsWith('Placeholder'))
    .map((node) => inputOf(node, keys.get(node.name) ?? node.name));
}

/** The outputs of a model: those of its signature, or without one the nodes that nothing reads. */
export function signatureOutputs(graph: Graph): ModelOutput[] {
  const listed = tensorsOf(graph.signature?.outputs).filter(({ node }) => graph.node(node));
  if (!listed.length) return outputNodes(graph).map((name) => ({ name, tensor: name }));
  return listed.map(({ key, node, output }) => ({ name: key, tensor: formatEndpoint(endpoint(node, output)) }));
}

function inputOf(node: GraphNode, name: string): ModelInput {
  return {
    name,
    node: node.name,
    shape: readShape(node.attributes, 'shape'),
    dtype: readType(node.attributes, 'dtype') ?? 'float32',
    optional: node.op === 'PlaceholderWithDefault',
  };
}

/** The tensors of one side of a signature, with the names that callers know them by. */
function tensorsOf(side: unknown): { key: string; node: string; output: number }[] {
  return Object.entries(isObject(side) ? side : {}).flatMap(([key, tensor]) => {
    if (!isObject(tensor) || typeof tensor.name !== 'string') return [];
    const reference = parseInput(tensor.name, `signature "${key}"`);
    return reference.kind === 'data' ? [{ key, node: reference.node, output: reference.output }] : [];
  });
}

/** The inputs of a model in words, for messages. */
export function listOf(inputs: ReadonlyArray<Pick<ModelInput, 'name' | 'shape'>>): string {
  return inputs.map(({ name, shape }) => `"${name}" ${shape ? shapeText(shape) : 'of any rank'}`).join(', ') || 'none';
}

/** A shape in words: `[?, 64, 64, 4]`. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.map((dim) => (dim < 0 ? '?' : dim)).join(', ')}]`;
}
