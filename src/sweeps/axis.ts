import { readParameters, suggest } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import {
  type AskedPasses,
  PARAMETERS,
  parseParameters,
  passDefinitions,
  SLOTHFUL,
  valueOfText,
} from '../passes/index.ts';
import type { RunRequest } from '../pipeline/index.ts';
import {
  DEFINITIONS,
  expectSolver,
  PREDICTION_TYPES,
  parseSamplerName,
  parseScheduleName,
  parseSeed,
  RNGS,
  SIGMA_SCHEDULES_COMFYUI,
  seedSetting,
  TIMESTEP_SPACINGS,
} from '../sampling/index.ts';

/** What a value of an axis changes about a run. */
export interface CellChange {
  readonly request?: RunRequest | undefined;
  readonly prompt?: string | undefined;
  /** `off`, `simple`, `full`, or a file of parameters. */
  readonly preset?: string | undefined;
  /** Of the full node, by name; checked. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  /** Of other passes, by name; checked. */
  readonly passes?: AskedPasses | undefined;
}

/** One value of an axis. */
export interface AxisValue {
  /** As it was written. */
  readonly text: string;
  readonly change: CellChange;
}

/** What a sweep goes through in one direction. */
export interface Axis {
  readonly name: string;
  readonly values: readonly AxisValue[];
}

type Name = keyof typeof PARAMETERS;
type Read = (text: string, place: string) => CellChange;

/** Names that stand for several parameters at once, as on the Simple node. */
const JOINT: Readonly<Record<string, readonly Name[]>> = {
  mode: ['in_mode', 'out_mode'],
  strength: ['in_strength', 'out_strength'],
  depth_decay: ['in_depth_decay', 'out_depth_decay'],
  in_blend: ['in_k_blend', 'in_v_blend'],
  out_blend: ['out_k_blend', 'out_v_blend'],
  k_blend: ['in_k_blend', 'out_k_blend'],
  v_blend: ['in_v_blend', 'out_v_blend'],
  blend: ['in_k_blend', 'in_v_blend', 'out_k_blend', 'out_v_blend'],
};

const NAMES = Object.keys(PARAMETERS).filter((name): name is Name => name in PARAMETERS);

const READERS: ReadonlyMap<string, Read> = new Map<string, Read>([
  ...NAMES.map((name) => [name, parameterReader([name])] as const),
  ...Object.entries(JOINT).map(([name, members]) => [name, parameterReader(members)] as const),
  ['sampler', (text, place) => ({ request: samplerIn(text, place) })],
  [
    'sigmas',
    (text, place) => ({ request: { sigmas: parseScheduleName(text) ?? choice(text, SIGMA_SCHEDULES_COMFYUI, place) } }),
  ],
  ['definitions', (text, place) => ({ request: { definitions: choice(text, DEFINITIONS, place) } })],
  ['rng', (text, place) => ({ request: { rng: choice(text, RNGS, place) } })],
  ['spacing', (text, place) => ({ request: { spacing: choice(text, TIMESTEP_SPACINGS, place) } })],
  ['prediction_type', (text, place) => ({ request: { prediction_type: choice(text, PREDICTION_TYPES, place) } })],
  ['seed', (text, place) => ({ request: { seed: seedSetting(parseSeed(text, place)) } })],
  ['steps', (text, place) => ({ request: { steps: number(text, place) } })],
  ['guidance_scale', (text, place) => ({ request: { guidance_scale: number(text, place) } })],
  ['image_guidance_scale', (text, place) => ({ request: { image_guidance_scale: number(text, place) } })],
  ['prompt', (text) => ({ prompt: text })],
  ['preset', (text) => ({ preset: text })],
]);

/** A sampler by any spelling; a name may have its noise levels with it. */
function samplerIn(text: string, place: string): RunRequest {
  const { sampler = expectSolver(text, place), schedule } = parseSamplerName(text) ?? {};
  return { sampler, ...(schedule ? { sigmas: schedule } : {}) };
}

/**
 * Reads an axis such as `in_strength=0,3,6,12`, `sampler=ddim,euler` or `prompt=sloth,red apple`.
 *
 * @param flag where it was written, for messages
 * @throws SlothfulError `usage` for a text that is not an axis, or an unknown name, `bad-parameter` for values
 */
export function parseAxis(text: string, flag: string): Axis {
  const equals = text.indexOf('=');
  const values = text
    .slice(equals + 1)
    .split(',')
    .map((value) => value.trim());
  if (equals < 1 || values.includes('')) {
    throw new SlothfulError('usage', flag, `cannot read "${text}"`, 'write a name and values, as in_strength=0,3,6');
  }
  const name = text.slice(0, equals).trim().replaceAll('-', '_');
  const readers = new Map([...READERS, ...peerReaders()]);
  const read = readers.get(name) ?? refuse(name, flag, [...readers.keys()]);
  return { name, values: values.map((value) => ({ text: value, change: read(value, `${flag} ${name}`) })) };
}

function refuse(name: string, flag: string, known: readonly string[]): never {
  const close = suggest(name, known);
  const cure = close ? `did you mean "${close}"?` : `there are ${known.join(', ')}`;
  throw new SlothfulError('usage', flag, `"${name}" is not something that a sweep can go through`, cure);
}

function parameterReader(names: readonly Name[]): Read {
  return (text, place) => {
    const parameters = Object.fromEntries(
      names.map((name) => {
        const value = valueOfText(text, PARAMETERS[name]);
        return [name, PARAMETERS[name].type === 'choice' ? text.toUpperCase() : value] as const;
      }),
    );
    parseParameters(parameters, place);
    return { parameters };
  };
}

/** An axis for every parameter of every other pass that is known: `pass_parameter`. */
function peerReaders(): [string, Read][] {
  const peers = passDefinitions().filter(({ name }) => name !== SLOTHFUL.name);
  return peers.flatMap(({ name: pass, parameters }) =>
    Object.entries(parameters).map(([parameter, declared]): [string, Read] => [
      `${pass}_${parameter}`.replaceAll('-', '_'),
      (text, place) => {
        const values = { [parameter]: valueOfText(text, declared) };
        readParameters(parameters, values, place);
        return { passes: { [pass]: values } };
      },
    ]),
  );
}

function choice<T extends string>(text: string, choices: readonly T[], place: string): T {
  const found = choices.find((each) => each === text);
  if (found !== undefined) return found;
  throw new SlothfulError('bad-parameter', place, `must be one of ${choices.join(', ')}, got "${text}"`);
}

function number(text: string, place: string): number {
  if (Number.isFinite(Number(text))) return Number(text);
  throw new SlothfulError('bad-parameter', place, `must be a number, got "${text}"`);
}
