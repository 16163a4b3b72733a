import { describe, isObject, type JsonObject } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import {
  PARAMETERS,
  parseParameters,
  SIMPLE_PARAMETERS,
  type SlothfulParameters,
  simpleParameters,
} from './parameters.ts';

const SIMPLE_TYPE = 'SlothfulAttentionSimple';
/** What the two nodes' widgets are called, in the order in which a workflow lists their values. */
const WIDGETS: ReadonlyMap<string, readonly string[]> = new Map([
  ['SlothfulAttention', Object.keys(PARAMETERS)],
  [SIMPLE_TYPE, Object.keys(SIMPLE_PARAMETERS)],
]);
/** Modes of a node that does not run: muted and bypassed. */
const INACTIVE: readonly unknown[] = [2, 4];
/** Names that only the Simple node has. */
const ONLY_SIMPLE = Object.keys(SIMPLE_PARAMETERS).filter((name) => !(name in PARAMETERS));

/** A Slothful Attention node found in a workflow: its values by parameter name. */
interface FoundNode {
  readonly type: string;
  readonly id: string;
  readonly values: JsonObject;
}

/**
 * The full node's parameters from any JSON that holds them: an object of the full node's parameters; one of the Simple
 * node's (told by its names, or by `"preset": "simple"`); or a ComfyUI workflow, as saved or in the API format, that
 * has one active SlothfulAttention or SlothfulAttentionSimple node.
 *
 * @param value the parsed JSON
 * @param place the file, for messages
 * @throws SlothfulError `bad-parameter`
 */
export function parametersFromJson(value: unknown, place: string): SlothfulParameters {
  if (!isObject(value)) {
    throw new SlothfulError(
      'bad-parameter',
      place,
      `expected parameters or a ComfyUI workflow, got ${describe(value)}`,
    );
  }
  if (Array.isArray(value.nodes)) return fromNodes(nodesOfWorkflow(value.nodes, place), place);
  const prompt = isObject(value.prompt) ? value.prompt : value;
  if (isApiFormat(prompt)) return fromNodes(nodesOfPrompt(prompt), place);
  return fromFlat(value, place);
}

function fromFlat(value: JsonObject, place: string): SlothfulParameters {
  const { preset, ...parameters } = value;
  if (preset !== undefined && preset !== 'simple' && preset !== 'full') {
    throw new SlothfulError('bad-parameter', place, `preset must be "simple" or "full", got ${describe(preset)}`);
  }
  const simple = preset === 'simple' || (preset === undefined && ONLY_SIMPLE.some((name) => name in parameters));
  return simple ? simpleParameters(parameters, `${place} (Simple node)`) : parseParameters(parameters, place);
}

function fromNodes(nodes: readonly FoundNode[], place: string): SlothfulParameters {
  const [node, another] = nodes;
  if (!node) {
    const problem = 'the workflow has no active SlothfulAttention or SlothfulAttentionSimple node';
    throw new SlothfulError('bad-parameter', place, problem, 'add one, or un-mute the one it has');
  }
  if (another) {
    const ids = nodes.map(({ id }) => id).join(', ');
    const problem = `the workflow has ${nodes.length} active Slothful Attention nodes (${ids})`;
    throw new SlothfulError('bad-parameter', place, problem, 'mute all but one');
  }
  const where = `${place}, node ${node.id}`;
  const linked = Object.entries(node.values).find(([, each]) => Array.isArray(each));
  if (linked) {
    const problem = `${linked[0]} comes from another node`;
    throw new SlothfulError('bad-parameter', where, problem, 'give it as a value of the node itself');
  }
  return node.type === SIMPLE_TYPE ? simpleParameters(node.values, where) : parseParameters(node.values, where);
}

/** The format of saved workflows: `nodes[]` with `widgets_values` in the order of the node's inputs. */
function nodesOfWorkflow(nodes: readonly unknown[], place: string): FoundNode[] {
  return nodes.flatMap((node) => {
    if (!isObject(node) || typeof node.type !== 'string' || INACTIVE.includes(node.mode)) return [];
    const names = WIDGETS.get(node.type);
    if (!names) return [];
    const id = String(node.id);
    const values = {
      ...widgetValues(node.widgets_values, names, `${place}, node ${id}`),
      ...linkedWidgets(node, names),
    };
    return [{ type: node.type, id, values }];
  });
}

function widgetValues(widgets: unknown, names: readonly string[], place: string): JsonObject {
  if (isObject(widgets)) return widgets;
  if (!Array.isArray(widgets) || widgets.length !== names.length) {
    const got = Array.isArray(widgets) ? `${widgets.length}` : describe(widgets);
    throw new SlothfulError('bad-parameter', place, `expected ${names.length} widget values, got ${got}`);
  }
  return Object.fromEntries(names.map((name, index) => [name, widgets[index]]));
}

/** Widgets turned into linked inputs: their stored value is stale, so they count as coming from elsewhere. */
function linkedWidgets(node: JsonObject, names: readonly string[]): JsonObject {
  const inputs = Array.isArray(node.inputs) ? node.inputs.filter(isObject) : [];
  const linked = inputs.filter(({ name, link }) => names.some((each) => each === name) && typeof link === 'number');
  return Object.fromEntries(linked.map(({ name, link }) => [String(name), [link]]));
}

/** The format that is sent to a server: `{ id: { class_type, inputs } }`, links as `[id, slot]`. */
function isApiFormat(value: JsonObject): boolean {
  const nodes = Object.values(value);
  return nodes.length > 0 && nodes.every((node) => isObject(node) && typeof node.class_type === 'string');
}

function nodesOfPrompt(prompt: JsonObject): FoundNode[] {
  return Object.entries(prompt).flatMap(([id, node]) => {
    if (!isObject(node) || typeof node.class_type !== 'string' || !isObject(node.inputs)) return [];
    if (!WIDGETS.has(node.class_type)) return [];
    const { model: _, ...values } = node.inputs;
    return [{ type: node.class_type, id, values }];
  });
}
