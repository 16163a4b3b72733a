import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import type { RunRequest, SamplerChoice } from '../../pipeline/index.ts';
import {
  DEFINITIONS,
  type Definitions,
  expectSolver,
  MOST_STEPS,
  parseSamplerName,
  parseScheduleName,
  RNGS,
  type Rng,
  SIGMA_SCHEDULES_COMFYUI,
  SOLVERS,
} from '../../sampling/index.ts';

const GROUP = 'Sampler:';

/** The flags of a sampler, and of the part of its schedule that is run. */
export interface SamplerArguments {
  readonly sampler?: string | undefined;
  readonly sigmas?: string | undefined;
  readonly definitions?: Definitions | undefined;
  readonly startAtStep?: number | undefined;
  readonly endAtStep?: number | undefined;
  readonly addNoise?: boolean | undefined;
  readonly leftoverNoise?: boolean | undefined;
}

/** Adds the flags of samplers. */
export function withSamplerFlags<T>(cli: Argv<T>) {
  const group = GROUP;
  const names = `${SOLVERS.join(', ')}; also as A1111 spells them`;
  return cli
    .option('sampler', { type: 'string', alias: 'scheduler', group, describe: `default: the model's own; ${names}` })
    .option('sigmas', {
      type: 'string',
      group,
      describe: `spacing of the noise levels: ${SIGMA_SCHEDULES_COMFYUI.join(', ')}`,
    })
    .option('definitions', {
      choices: DEFINITIONS,
      group,
      describe: "whose samplers and sigmas of these names; default: diffusers', where it has them",
    })
    .option('start-at-step', { type: 'number', group, describe: "as ComfyUI's node KSamplerAdvanced" })
    .option('end-at-step', { type: 'number', group, describe: 'the same' })
    .option('add-noise', { type: 'boolean', group, describe: 'the same; default: yes' })
    .option('leftover-noise', { type: 'boolean', group, describe: 'the same; default: no' });
}

/**
 * What the flags say of the sampler.
 *
 * @throws SlothfulError `bad-parameter` for a name that is none, `unsupported` for a sampler of ComfyUI's that is not built
 */
export function readSampler(argv: SamplerArguments): SamplerChoice & Pick<RunRequest, 'part'> {
  const { definitions, startAtStep, endAtStep, addNoise, leftoverNoise } = argv;
  const named: NamedSampler = argv.sampler === undefined ? {} : samplerOf(argv.sampler, '--sampler');
  const sigmas = argv.sigmas === undefined ? named.sigmas : sigmasOf(argv.sigmas, '--sigmas');
  const isPart = [startAtStep, endAtStep, addNoise, leftoverNoise].some((value) => value !== undefined);
  const part = {
    add_noise: addNoise ?? true,
    start_at_step: startAtStep ?? 0,
    end_at_step: endAtStep ?? MOST_STEPS,
    return_with_leftover_noise: leftoverNoise ?? false,
  };
  return {
    ...{ sampler: named.sampler, sigmas },
    ...(isPart ? { definitions: 'comfyui', part } : { definitions }),
  };
}

/** A sampler that was named, and the noise levels where the name has them. */
type NamedSampler = Partial<Pick<SamplerChoice, 'sampler' | 'sigmas'>>;

/** A sampler by any spelling, and the noise levels where the name has them. @throws SlothfulError `bad-parameter`, `unsupported` */
export function samplerOf(text: string, place: string): NamedSampler {
  const found = parseSamplerName(text);
  if (found) return { sampler: found.sampler, sigmas: found.schedule };
  return { sampler: expectSolver(text, place) };
}

/** Noise levels by any spelling. @throws SlothfulError `usage` */
export function sigmasOf(text: string, place: string): NonNullable<SamplerChoice['sigmas']> {
  const found = parseScheduleName(text);
  if (found) return found;
  const cure = `there are ${SIGMA_SCHEDULES_COMFYUI.join(', ')}`;
  throw new SlothfulError('usage', place, `there are no sigmas "${text.slice(0, 40)}"`, cure);
}

/** The flags of the noise. */
export interface NoiseArguments {
  readonly seed?: string | undefined;
  readonly rng?: Rng | undefined;
}

/** Adds the flags of the noise. */
export function withNoiseFlags<T>(cli: Argv<T>) {
  const group = GROUP;
  return cli
    .option('seed', { type: 'string', group, describe: 'of the noise, 0; the same on every backend' })
    .option('rng', {
      choices: RNGS,
      group,
      describe: "whose noise a seed means; default: slothful, a workflow's: comfyui",
    });
}

/** What the flags say of the noise. @throws SlothfulError `usage` */
export function readNoiseFlags({ seed, rng }: NoiseArguments): Pick<RunRequest, 'seed' | 'rng'> {
  if (seed === undefined || /^\d{1,20}$/.test(seed)) return { seed, rng };
  throw new SlothfulError('usage', '--seed', `must be a whole number, got "${seed.slice(0, 40)}"`);
}
