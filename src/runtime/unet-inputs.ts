import { SlothfulError } from '../errors.ts';
import type { Graph } from '../graph/index.ts';
import { listOf, type ModelInput, signatureInputs, signatureOutputs } from './signature.ts';

/** What an input of a UNet is for; models of any exporter have them, under many names. */
export type InputRole = 'sample' | 'timestep' | 'encoder_hidden_states';

/** One input of a UNet; `name` is its role's name, or where it has none the name that the model gives it. */
export interface UNetInput extends ModelInput {
  readonly role: InputRole | undefined;
}

/** Which of the model's inputs has which role, where that cannot be told from names and ranks. */
export type InputNames = Partial<Record<InputRole, string>>;

const ROLES = ['sample', 'encoder_hidden_states', 'timestep'] as const satisfies readonly InputRole[];

const RANKS: Readonly<Record<InputRole, readonly number[]>> = {
  sample: [4],
  encoder_hidden_states: [3],
  timestep: [0, 1],
};

/**
 * The inputs of a UNet, with their roles: by `names`, else by the usual names, else by rank (4: sample, 3: context,
 * 0 or 1: timestep) where one input alone has it.
 *
 * @param owned inputs of a patched model that its passes feed, which are not the caller's business
 * @throws SlothfulError `bad-input` where the sample cannot be told, or `names` names no input
 */
export function unetInputs(graph: Graph, names: InputNames, owned: readonly string[], place: string): UNetInput[] {
  const found = signatureInputs(graph).filter(({ node }) => !owned.includes(node));
  const roles = new Map<ModelInput, InputRole>();
  for (const role of ROLES) {
    const input = names[role] === undefined ? guess(found, role, roles) : named(found, role, names[role], place);
    if (input) roles.set(input, role);
  }
  if (![...roles.values()].includes('sample')) throw noSample(found, place);
  return found.map((input) => {
    const role = roles.get(input);
    return { ...input, name: role ?? input.name, role };
  });
}

/**
 * The tensor that holds a UNet's prediction: the one output that the model has, or the one called `out_sample`.
 *
 * @param asked name of an output, where there are several
 * @throws SlothfulError `bad-input` where it cannot be told
 */
export function unetOutput(graph: Graph, asked: string | undefined, place: string): string {
  const outputs = signatureOutputs(graph);
  const named = outputs.find(({ name }) => name === (asked ?? 'out_sample'));
  const [only, ...others] = outputs;
  if (named) return named.tensor;
  if (asked === undefined && only && !others.length) return only.tensor;
  const list = outputs.map(({ name }) => `"${name}"`).join(', ') || 'none';
  const problem = asked === undefined ? 'has several outputs or none' : `has no output "${asked}"`;
  throw new SlothfulError('bad-input', place, `${problem}; it has ${list}`, 'name one with outputName');
}

const isCalled = (input: ModelInput, name: string) => input.name === name || input.node === name;

function named(found: readonly ModelInput[], role: InputRole, name: string, place: string): ModelInput {
  const input = found.find((each) => isCalled(each, name));
  if (input) return input;
  throw new SlothfulError('bad-input', place, `has no input "${name}" for the ${role}`, `it has ${listOf(found)}`);
}

function guess(
  found: readonly ModelInput[],
  role: InputRole,
  taken: ReadonlyMap<ModelInput, InputRole>,
): ModelInput | undefined {
  const byName = found.find((input) => isCalled(input, role));
  if (byName) return byName;
  const fits = ({ shape }: ModelInput) => shape !== undefined && RANKS[role].includes(shape.length);
  const [first, ...others] = found.filter((input) => fits(input) && !input.optional && !taken.has(input));
  return others.length ? undefined : first;
}

function noSample(found: readonly ModelInput[], place: string): SlothfulError {
  const problem = `has no input that must be the sample; it has ${listOf(found)}`;
  return new SlothfulError('bad-input', place, problem, 'name it with inputNames: { sample: "..." }');
}
