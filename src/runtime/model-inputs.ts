import { SlothfulError } from '../errors.ts';
import { type DType, type Graph, type GraphNode, isObject, parseInput, readShape, readType } from '../graph/index.ts';

/** What an input of a UNet is for; models of any exporter have them, under many names. */
export type InputRole = 'sample' | 'timestep' | 'encoder_hidden_states';

/** One input of a model. */
export interface ModelInput {
  /** What callers feed it as: its role's name, or where it has none the name that the model gives it. */
  readonly name: string;
  readonly role: InputRole | undefined;
  /** Name of its node. */
  readonly node: string;
  /** -1 where any size will do; undefined where the model does not tell the rank. */
  readonly shape: readonly number[] | undefined;
  readonly dtype: DType;
  /** It has a default. */
  readonly optional: boolean;
}

/** Which of the model's inputs has which role, where that cannot be told from names and ranks. */
export type InputNames = Partial<Record<InputRole, string>>;

const RANKS: Readonly<Record<InputRole, readonly number[]>> = {
  sample: [4],
  encoder_hidden_states: [3],
  timestep: [0, 1],
};

interface Found extends Omit<ModelInput, 'role'> {
  /** Names that the input goes by: its signature key and its node's name. */
  readonly aliases: readonly string[];
}

/**
 * The inputs of a model, with their roles: by `names`, else by the usual names, else by rank (4: sample, 3: context,
 * 0 or 1: timestep) where one input alone has it.
 *
 * @param control the control input of a patched model, which is not the caller's business
 * @throws SlothfulError `bad-input` where the sample cannot be told, or `names` names no input
 */
export function modelInputs(graph: Graph, names: InputNames, control: string | undefined, place: string): ModelInput[] {
  const keys = signatureKeys(graph);
  const found = [...graph.nodes]
    .filter((node) => node.op.startsWith('Placeholder') && node.name !== control)
    .map((node) => describe(node, keys.get(node.name)));
  const roles = new Map<Found, InputRole>();
  for (const role of ['sample', 'encoder_hidden_states', 'timestep'] as const) {
    const input = names[role] === undefined ? guess(found, role, roles) : named(found, role, names[role], place);
    if (input) roles.set(input, role);
  }
  if (![...roles.values()].includes('sample')) throw noSample(found, place);
  return found.map((input) => {
    const { aliases: _, ...rest } = input;
    const role = roles.get(input);
    return { ...rest, name: role ?? rest.name, role };
  });
}

function describe(node: GraphNode, key: string | undefined): Found {
  return {
    name: key ?? node.name,
    aliases: [node.name, ...(key === undefined ? [] : [key])],
    node: node.name,
    shape: readShape(node.attributes, 'shape'),
    dtype: readType(node.attributes, 'dtype') ?? 'float32',
    optional: node.op === 'PlaceholderWithDefault',
  };
}

/** Node names of the signature's inputs, with the names that callers know them by. */
function signatureKeys(graph: Graph): Map<string, string> {
  const inputs = isObject(graph.signature?.inputs) ? graph.signature.inputs : {};
  return new Map(
    Object.entries(inputs).flatMap(([key, tensor]): [string, string][] =>
      isObject(tensor) && typeof tensor.name === 'string' ? [[parseInput(tensor.name, key).node, key]] : [],
    ),
  );
}

function named(found: readonly Found[], role: InputRole, name: string, place: string): Found {
  const input = found.find(({ aliases }) => aliases.includes(name));
  if (input) return input;
  throw new SlothfulError('bad-input', place, `has no input "${name}" for the ${role}`, `it has ${listOf(found)}`);
}

function guess(found: readonly Found[], role: InputRole, taken: ReadonlyMap<Found, InputRole>): Found | undefined {
  const byName = found.find(({ aliases }) => aliases.includes(role));
  if (byName) return byName;
  const fits = ({ shape }: Found) => shape !== undefined && RANKS[role].includes(shape.length);
  const [first, ...others] = found.filter((input) => fits(input) && !input.optional && !taken.has(input));
  return others.length ? undefined : first;
}

function noSample(found: readonly Found[], place: string): SlothfulError {
  const problem = `has no input that must be the sample; it has ${listOf(found)}`;
  return new SlothfulError('bad-input', place, problem, 'name it with inputNames: { sample: "..." }');
}

/** The inputs of a model in words, for messages. */
export function listOf(inputs: ReadonlyArray<Pick<ModelInput, 'name' | 'shape'>>): string {
  return inputs.map(({ name, shape }) => `"${name}" ${shape ? shapeText(shape) : 'of any rank'}`).join(', ') || 'none';
}

/** A shape in words: `[?, 64, 64, 4]`. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.map((dim) => (dim < 0 ? '?' : dim)).join(', ')}]`;
}
