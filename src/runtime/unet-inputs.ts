import { SlothfulError } from '../errors.ts';
import { type Graph, inputLayout, type PictureLayout } from '../graph/index.ts';
import { bareName, type Spelled, usualName } from './input-names.ts';
import { listOf, type ModelInput, signatureInputs, signatureOutputs } from './signature.ts';
import { KERAS_CV, type TimestepSinusoid } from './timestep-embedding.ts';

/** What an input of a UNet is for; models of any exporter have them, under many names. */
export type InputRole = 'sample' | 'timestep' | 'encoder_hidden_states';

/** One input of a UNet; `name` is its role's name, or where it has none the name that the model gives it. */
export interface UNetInput extends ModelInput, Spelled {
  readonly role: InputRole | undefined;
  /** Order of its axes, where it is of rank 4. */
  readonly layout: PictureLayout;
  /** How it is made of the timestep, where it takes an embedding of it. */
  readonly sinusoid: TimestepSinusoid | undefined;
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
 * @param sinusoid how an embedding of the timestep is made that the model takes in its place; KerasCV's is known
 * @throws SlothfulError `bad-input` where the sample cannot be told, or `names` names no input
 */
export function unetInputs(
  graph: Graph,
  names: InputNames,
  owned: readonly string[],
  place: string,
  sinusoid?: TimestepSinusoid,
): UNetInput[] {
  const found = signatureInputs(graph).filter(({ node }) => !owned.includes(node));
  const roles = new Map<ModelInput, InputRole>();
  for (const role of ROLES) {
    const input = names[role] === undefined ? guess(found, role, roles) : named(found, role, names[role], place);
    if (input) roles.set(input, role);
  }
  if (![...roles.values()].includes('sample')) throw noSample(found, place);
  const embedding = [...roles.values()].includes('timestep') ? undefined : embeddingInput(found, roles, sinusoid);
  if (sinusoid && !embedding) throw noEmbedding(found, place);
  return found.map((input): UNetInput => {
    const role = roles.get(input);
    const own = { ...input, ownName: input.name, role, layout: inputLayout(graph, input.node) };
    if (input === embedding?.input) return { ...own, role: 'timestep', sinusoid: embedding.sinusoid };
    return { ...own, name: role ?? companionName(input) ?? input.name, sinusoid: undefined };
  });
}

/** SDXL's inputs beside the text, under the names that diffusers gives them. */
function companionName(input: ModelInput): string | undefined {
  const usual = usualName(input.name) ?? usualName(input.node);
  return usual === 'text_embeds' || usual === 'time_ids' ? usual : undefined;
}

const KERAS_CV_INPUT = { name: 'timestep_embedding', width: 320 };

/** Whether an input can take an embedding of the timestep: [B, an even number]. */
export function canBeEmbedding(input: Pick<ModelInput, 'name' | 'node' | 'shape' | 'dtype'>): boolean {
  const width = input.shape?.length === 2 ? (input.shape[1] ?? 0) : 0;
  const usual = usualName(input.name) ?? usualName(input.node);
  const isOther = usual !== undefined && usual !== 'timestep';
  return width >= 2 && width % 2 === 0 && input.dtype === 'float32' && !isOther;
}

const isOfTime = ({ name, node }: ModelInput): boolean => [name, node].some((each) => /time|t_?emb|^t$/i.test(each));

function embeddingInput(
  found: readonly ModelInput[],
  taken: ReadonlyMap<ModelInput, InputRole>,
  asked: TimestepSinusoid | undefined,
): { input: ModelInput; sinusoid: TimestepSinusoid } | undefined {
  const fits = found.filter((input) => canBeEmbedding(input) && !input.optional && !taken.has(input));
  const isKerasCv = (input: ModelInput) =>
    [input.name, input.node].map(bareName).includes(KERAS_CV_INPUT.name) && input.shape?.[1] === KERAS_CV_INPUT.width;
  const [named, only] = [fits.find(isOfTime), fits.length === 1 ? fits[0] : undefined];
  const input = asked ? (named ?? only) : fits.find(isKerasCv);
  return input && { input, sinusoid: asked ?? KERAS_CV };
}

function noEmbedding(found: readonly ModelInput[], place: string): SlothfulError {
  const problem = `no input of ${place} could take an embedding of the timestep; it has ${listOf(found)}`;
  return new SlothfulError('usage', '--timestep-input', problem, 'leave it out');
}

/**
 * The tensor that holds a UNet's prediction: the one output that the model has, or the one called `out_sample`.
 *
 * @param asked name of an output, where there are several
 * @throws SlothfulError `bad-input` where it cannot be told
 */
export function unetOutput(graph: Graph, asked: string | undefined, place: string): string {
  const outputs = signatureOutputs(graph);
  const wanted = asked ?? 'out_sample';
  const named =
    outputs.find(({ name, tensor }) => name === wanted || tensor === wanted) ??
    outputs.find(({ name, tensor }) => [name, tensor].map(bareName).includes(bareName(wanted)));
  const [only, ...others] = outputs;
  if (named) return named.tensor;
  if (asked === undefined && only && !others.length) return only.tensor;
  const list = outputs.map(({ name }) => `"${name}"`).join(', ') || 'none';
  const problem = asked === undefined ? 'has several outputs or none' : `has no output "${asked}"`;
  throw new SlothfulError(
    'bad-input',
    place,
    `${problem}; it has ${list}`,
    'name one: --output NAME (outputName in programs)',
  );
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
  if (byName && !isEmbedding(byName, role)) return byName;
  const isColumn = (shape: readonly number[]) => role === 'timestep' && shape.length === 2 && shape[1] === 1;
  const fits = ({ shape }: ModelInput) => shape && (RANKS[role].includes(shape.length) || isColumn(shape));
  const isUsual = (input: ModelInput) => usualName(input.name) === role || usualName(input.node) === role;
  const byUsualName = found.find((input) => isUsual(input) && fits(input) && !taken.has(input));
  if (byUsualName) return byUsualName;
  const [first, ...others] = found.filter((input) => fits(input) && !input.optional && !taken.has(input));
  return others.length ? undefined : first;
}

/** An input called `timestep` that takes more than a number of each image takes its embedding. */
const isEmbedding = ({ shape }: ModelInput, role: InputRole): boolean =>
  role === 'timestep' && shape?.length === 2 && (shape[1] ?? 1) > 1;

function noSample(found: readonly ModelInput[], place: string): SlothfulError {
  const problem = `has no input that must be the sample; it has ${listOf(found)}`;
  return new SlothfulError('bad-input', place, problem, 'name it with inputNames: { sample: "..." }');
}
