import { describe, isObject } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { parametersFromObject, parseParameters, type SlothfulParameters, simpleParameters } from '../passes/index.ts';
import type { FlatGraph, FlatNode } from './flat.ts';
import { isSlothfulNode, laterRelease, SIMPLE, valuesOf } from './slothful-nodes.ts';
import { findGraph } from './understand.ts';

/** What later releases of the pack call the node. */
const LATER_NAMES: readonly string[] = ['NearSightedAttention', 'NearSightedAttentionSimple', 'NearSightedTile'];
const CURE = 'give parameters of the first release: those of this node are others';

/**
 * The full node's parameters from any JSON that holds them: an object of the full node's parameters; one of the Simple
 * node's (told by its names, or by `"preset": "simple"`); or a ComfyUI workflow, as saved or in the API format, that has one
 * active SlothfulAttention or SlothfulAttentionSimple node, in a subgraph or group too.
 *
 * @param value the parsed JSON
 * @param place the file, for messages
 * @throws SlothfulError `bad-parameter`, `bad-input` for a workflow that is broken
 */
export function parametersFromJson(value: unknown, place: string): SlothfulParameters {
  const graph = findGraph(value, place);
  if (graph) return fromGraph(graph);
  if (isObject(value)) return parametersFromObject(value, place);
  throw new SlothfulError('bad-parameter', place, `expected parameters or a ComfyUI workflow, got ${describe(value)}`);
}

function fromGraph(graph: FlatGraph): SlothfulParameters {
  const { place } = graph;
  const nodes = [...graph.nodes.values()];
  const [node, another] = nodes.filter(isSlothfulNode);
  if (!node) throw noNode(nodes, place);
  if (another) {
    const found = nodes.filter(isSlothfulNode).map(({ id }) => id);
    const problem = `the workflow has ${found.length} active Slothful Attention nodes (${found.join(', ')})`;
    throw new SlothfulError('bad-parameter', place, problem, 'mute all but one');
  }
  const where = `${place}, node ${node.id}`;
  const later = laterRelease(node);
  if (later !== undefined) throw new SlothfulError('bad-parameter', where, `is ${later}`, CURE);
  const { values, linked } = valuesOf(graph, node);
  if (linked !== undefined) {
    const problem = `${linked} comes from another node`;
    throw new SlothfulError('bad-parameter', where, problem, 'give it as a value of the node itself');
  }
  return node.classType === SIMPLE ? simpleParameters(values, where) : parseParameters(values, where);
}

function noNode(nodes: readonly FlatNode[], place: string): SlothfulError {
  const later = nodes.find(({ classType }) => LATER_NAMES.includes(classType));
  if (later) {
    const problem = `is ${later.classType}, the node of a later release, which has other parameters`;
    return new SlothfulError('bad-parameter', `${place}, node ${later.id}`, problem, CURE);
  }
  const problem = 'the workflow has no active SlothfulAttention or SlothfulAttentionSimple node';
  return new SlothfulError('bad-parameter', place, problem, 'add one, or un-mute the one it has');
}
