import { SlothfulError } from '../errors.ts';
import { formatEndpoint, type Graph, isObject, outputNodes, parseInput } from '../graph/index.ts';

/**
 * The endpoint that holds a UNet's prediction: the one output that the model has, or the one called `out_sample`.
 *
 * @param asked name of an output, where there are several
 * @throws SlothfulError `bad-input` where it cannot be told
 */
export function modelOutput(graph: Graph, asked: string | undefined, place: string): string {
  const outputs = signatureOutputs(graph);
  if (!outputs.size) for (const node of outputNodes(graph)) outputs.set(node, node);
  const named = outputs.get(asked ?? 'out_sample');
  const [only, ...others] = outputs.values();
  if (named !== undefined) return named;
  if (asked === undefined && only !== undefined && !others.length) return only;
  const list = [...outputs.keys()].map((name) => `"${name}"`).join(', ') || 'none';
  const problem = asked === undefined ? 'has several outputs or none' : `has no output "${asked}"`;
  throw new SlothfulError('bad-input', place, `${problem}; it has ${list}`, 'name one with outputName');
}

function signatureOutputs(graph: Graph): Map<string, string> {
  const outputs = isObject(graph.signature?.outputs) ? graph.signature.outputs : {};
  const found = new Map<string, string>();
  for (const [key, tensor] of Object.entries(outputs)) {
    if (!isObject(tensor) || typeof tensor.name !== 'string') continue;
    const reference = parseInput(tensor.name, `signature output "${key}"`);
    if (reference.kind === 'data' && graph.node(reference.node)) found.set(key, formatEndpoint(reference));
  }
  return found;
}
