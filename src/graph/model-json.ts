import { parseJson } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import type { Attribute, Attributes, DType } from './attributes.ts';
import { type Endpoint, formatEndpoint, type GraphNode, isObject, type JsonObject, parseInput } from './document.ts';
import { readAttribute } from './read-attribute.ts';
import type { Quantization, WeightGroup, WeightSpec } from './weights.ts';

/** The parts of a model.json that the document understands; `rest` keeps everything else for writing it back. */
export interface ParsedModel {
  nodes: GraphNode[];
  weights: WeightGroup[];
  signature: JsonObject | undefined;
  metadata: JsonObject;
  rest: JsonObject;
  topologyRest: JsonObject;
}

const DTYPES: ReadonlySet<unknown> = new Set<DType>(['float32', 'int32', 'bool', 'string', 'complex64']);
const QUANTIZED: ReadonlySet<unknown> = new Set<Quantization['dtype']>(['float16', 'uint8', 'uint16']);

function bad(place: string, problem: string, cure?: string): never {
  throw new SlothfulError('bad-model', place, problem, cure);
}

/**
 * Parses the text of a model.json.
 *
 * @throws SlothfulError `bad-model` when it is not JSON or not a graph model
 */
export function parseModelJson(text: string, place = 'model.json'): ParsedModel {
  const cure = 'give the model.json of a TF.js graph model';
  return readModelJson(parseJson(text, { place, code: 'bad-model', cure }), place);
}

/** Validates a parsed model.json once, at the edge. */
export function readModelJson(value: unknown, place = 'model.json'): ParsedModel {
  if (!isObject(value)) bad(place, 'is not a JSON object', 'give the model.json of a TF.js graph model');
  const { modelTopology, weightsManifest, userDefinedMetadata, signature, ...rest } = withTopology(value);
  if (value.format !== undefined && value.format !== 'graph-model') {
    bad(place, `has the format ${JSON.stringify(value.format)}`, 'only TF.js graph models can be read; export one');
  }
  if (!isObject(modelTopology) || !Array.isArray(modelTopology.node)) {
    bad(place, 'has no modelTopology.node list', 'give the model.json of a TF.js graph model');
  }
  const { node, ...topologyRest } = modelTopology;
  if (topologyRest.versions !== undefined && !isObject(topologyRest.versions)) {
    bad(place, 'has modelTopology.versions that are not an object', 'leave them out');
  }
  return {
    nodes: modelTopology.node.map((item, index) => readNode(item, `${place} node ${index}`)),
    weights: readManifest(weightsManifest ?? [], place),
    ...readSignature(signature, userDefinedMetadata),
    rest,
    topologyRest,
  };
}

/** A graph by itself, as TensorFlow spells one in JSON, is the topology of a model without weights. */
function withTopology(value: JsonObject): JsonObject {
  if (value.modelTopology !== undefined || !Array.isArray(value.node)) return value;
  const { node, versions, library, ...rest } = value;
  return { ...rest, modelTopology: { node, ...(versions === undefined ? {} : { versions }), library } };
}

/** Earlier converters wrote the signature into the metadata, where TF.js prefers it: a changed one would not be seen there. */
function readSignature(signature: unknown, metadata: unknown): Pick<ParsedModel, 'signature' | 'metadata'> {
  const { signature: inner, ...rest } = isObject(metadata) ? metadata : {};
  if (isObject(inner)) return { signature: inner, metadata: rest };
  return { signature: isObject(signature) ? signature : undefined, metadata: isObject(metadata) ? metadata : {} };
}

function readNode(value: unknown, place: string): GraphNode {
  if (!isObject(value) || typeof value.name !== 'string' || typeof value.op !== 'string' || !value.name) {
    bad(place, 'has no name or no op');
  }
  const named = `${place} "${value.name}"`;
  const inputs: Endpoint[] = [];
  const controls: string[] = [];
  for (const text of readInputs(value.input, named)) {
    const reference = parseInput(text, named);
    if (reference.kind === 'control') controls.push(reference.node);
    else inputs.push({ node: reference.node, output: reference.output });
  }
  const node = { name: value.name, op: value.op, inputs, controls, attributes: readAttributes(value.attr, named) };
  return typeof value.device === 'string' && value.device ? { ...node, device: value.device } : node;
}

function readInputs(value: unknown, place: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  return bad(place, 'has an input list that is not a list of texts');
}

function readAttributes(value: unknown, place: string): Attributes {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) bad(place, 'has attributes that are not an object');
  const attributes: Record<string, Attribute> = {};
  for (const [name, item] of Object.entries(value)) {
    if (item === null || name === '__proto__') continue;
    const attribute = readAttribute(item);
    if (!attribute) bad(place, `has an attribute "${name}" that cannot be read`);
    attributes[name] = attribute;
  }
  return attributes;
}

function readManifest(value: unknown, place: string): WeightGroup[] {
  if (!Array.isArray(value)) bad(place, 'has a weightsManifest that is not a list');
  const groups = value.map((group, index) => {
    const at = `${place} weightsManifest[${index}]`;
    if (!isObject(group) || !Array.isArray(group.paths) || !Array.isArray(group.weights))
      bad(at, 'needs paths and weights');
    const paths = group.paths.map((path) =>
      typeof path === 'string' ? path : bad(at, 'has a path that is not a text'),
    );
    return { paths, weights: group.weights.map((weight) => readWeight(weight, at)) };
  });
  return withoutRepeats(groups, place);
}

/** A weight that is listed twice would be read twice, and one of its tensors would belong to nobody. */
function withoutRepeats(groups: WeightGroup[], place: string): WeightGroup[] {
  const seen = new Set<string>();
  for (const { name } of groups.flatMap(({ weights }) => weights)) {
    if (seen.has(name)) bad(`${place} weightsManifest`, `lists the weight "${name}" twice`, 'convert it again');
    seen.add(name);
  }
  return groups;
}

function readWeight(value: unknown, place: string): WeightSpec {
  if (!isObject(value) || typeof value.name !== 'string') bad(place, 'has a weight without a name');
  const at = `${place} "${value.name}"`;
  const { name, shape, dtype, quantization } = value;
  const isDim = (dim: unknown) => typeof dim === 'number' && Number.isInteger(dim) && dim >= 0;
  if (!Array.isArray(shape) || !shape.every(isDim)) bad(at, `has no usable shape: ${JSON.stringify(shape)}`);
  if (!isDType(dtype)) bad(at, `has the dtype ${JSON.stringify(dtype)}, which TF.js does not know`);
  const spec: WeightSpec = { name, shape, dtype };
  return quantization === undefined ? spec : { ...spec, quantization: readQuantization(quantization, at) };
}

function isDType(value: unknown): value is DType {
  return DTYPES.has(value);
}

function isQuantized(value: unknown): value is Quantization['dtype'] {
  return QUANTIZED.has(value);
}

function readQuantization(value: unknown, place: string): Quantization {
  if (!isObject(value) || !isQuantized(value.dtype))
    bad(place, `has an unknown quantization: ${JSON.stringify(value)}`);
  const { dtype, scale, min, original_dtype } = value;
  return {
    dtype,
    ...(typeof scale === 'number' ? { scale } : {}),
    ...(typeof min === 'number' ? { min } : {}),
    ...(typeof original_dtype === 'string' ? { original_dtype } : {}),
  };
}

/** A node as model.json spells it. Control inputs go last: TF.js miscounts the data inputs behind one. */
export function writeNode(node: GraphNode): JsonObject {
  const input = [...node.inputs.map(formatEndpoint), ...node.controls.map((name) => `^${name}`)];
  return {
    name: node.name,
    op: node.op,
    ...(input.length ? { input } : {}),
    ...(node.device ? { device: node.device } : {}),
    attr: node.attributes,
  };
}
