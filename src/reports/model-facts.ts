import type { SurveyedSite } from '../attention/index.ts';
import { FAMILIES, generationOfContext } from '../families/index.ts';
import {
  type Graph,
  type GraphNode,
  inferShapes,
  isObject,
  outputNodes,
  parseInput,
  readShape,
  readType,
} from '../graph/index.ts';
import type { ReportEndpoint } from './inspect-report.ts';
import type { FamilyGuess } from './report-parts.ts';

/** The family that the metadata names, or else the one that has as many self-attentions in the same blocks. */
export function guessFamily({ metadata }: Graph, sites: readonly SurveyedSite[]): FamilyGuess {
  if (typeof metadata.family === 'string') return { name: metadata.family, basis: 'the metadata of the model says so' };
  const self = sites.filter(({ kind }) => kind === 'self');
  const count = (block: string) => self.filter((site) => site.block === block).length;
  const [input, middle, output] = [count('input'), count('middle'), count('output')];
  const counted = `${input} input, ${middle} middle and ${output} output self-attentions${contextText(sites)}`;
  const found = FAMILIES.find(
    ({ selfAttentions: has }) => has.input === input && has.middle === middle && has.output === output,
  );
  if (found) return { name: found.name, basis: `it has the family's ${counted}` };
  return { name: null, basis: `no family that is known has ${counted}` };
}

function contextText(sites: readonly SurveyedSite[]): string {
  const width = sites.find(({ kind }) => kind === 'cross')?.contextChannels;
  if (width === undefined) return '';
  const hint = generationOfContext(width);
  return `, and a context of ${width} channels${hint ? ` (${hint})` : ''}`;
}

/** The inputs that a caller feeds, as the document declares them. */
export function inputsOf(graph: Graph): ReportEndpoint[] {
  return [...graph.nodes].filter(({ op }) => op.startsWith('Placeholder')).map((node) => inputOf(graph, node));
}

function inputOf(graph: Graph, node: GraphNode): ReportEndpoint {
  const optional = node.op === 'PlaceholderWithDefault';
  const fallback = optional ? graph.weight(node.inputs[0]?.node ?? '')?.shape : undefined;
  const declared = readShape(node.attributes, 'shape') ?? fallback;
  return { name: node.name, shape: declared ?? null, dtype: readType(node.attributes, 'dtype') ?? null, optional };
}

/** The outputs: names and shapes of the signature where it has any, sizes that do not depend on the inputs otherwise. */
export function outputsOf(graph: Graph): ReportEndpoint[] {
  const declared = signatureShapes(graph);
  const names = outputNodes(graph);
  const unsized = names.every((name) => declared.has(name)) ? undefined : inferShapes(graph);
  return names.map((name) => {
    const inferred = unsized?.dims({ node: name, output: 0 })?.map((size) => size ?? -1);
    const type = graph.node(name)?.attributes;
    const dtype = type ? (readType(type, 'T') ?? null) : null;
    return { name, shape: declared.get(name) ?? inferred ?? null, dtype, optional: false };
  });
}

function signatureShapes({ signature }: Graph): Map<string, readonly number[]> {
  const outputs = isObject(signature?.outputs) ? Object.values(signature.outputs) : [];
  const shapes = new Map<string, readonly number[]>();
  for (const tensor of outputs) {
    if (!isObject(tensor) || typeof tensor.name !== 'string' || !isObject(tensor.tensorShape)) continue;
    const { dim } = tensor.tensorShape;
    if (!Array.isArray(dim)) continue;
    const sizes = dim.map((item) => (isObject(item) ? Number(item.size ?? -1) : -1));
    shapes.set(parseInput(tensor.name, 'signature').node, sizes);
  }
  return shapes;
}
