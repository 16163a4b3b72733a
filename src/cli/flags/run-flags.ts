import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import type { RunRequest } from '../../pipeline/index.ts';
import {
  PREDICTION_TYPES,
  type PredictionType,
  SAMPLERS,
  type SamplerName,
  SIGMA_SCHEDULES,
  type SigmaSchedule,
  TIMESTEP_SPACINGS,
  type TimestepSpacing,
} from '../../sampling/index.ts';

const GROUP = 'Run:';

/** The flags that say what is run. */
export interface RunArguments {
  readonly model: string;
  readonly prompt?: string | undefined;
  readonly negativePrompt?: string | undefined;
  readonly cond?: string | undefined;
  readonly uncond?: string | undefined;
  readonly steps?: number | undefined;
  readonly sampler?: SamplerName | undefined;
  readonly sigmas?: SigmaSchedule | undefined;
  readonly spacing?: TimestepSpacing | undefined;
  readonly predictionType?: PredictionType | undefined;
  readonly guidanceScale?: number | undefined;
  readonly seed?: number | undefined;
  readonly size?: string | undefined;
}

/** Adds the model and everything that `run` and `sweep` take in common, besides the node's parameters. */
export function withRunFlags<T>(cli: Argv<T>) {
  const group = GROUP;
  return cli
    .positional('model', { type: 'string', demandOption: true, describe: 'converted model, patched or plain' })
    .option('prompt', { type: 'string', group, describe: 'what to draw, for models that carry a text table' })
    .option('negative-prompt', { type: 'string', group, describe: 'what to be guided away from; default: nothing' })
    .option('cond', { type: 'string', group, describe: 'safetensors file with the text, and the other inputs by name' })
    .option('uncond', { type: 'string', group, describe: 'the same of the empty prompt, for guidance' })
    .option('steps', { type: 'number', group, describe: '20, for lcm 4' })
    .option('sampler', { choices: SAMPLERS, group, describe: "default: the model's own" })
    .option('sigmas', { choices: SIGMA_SCHEDULES, group, describe: 'spacing of the noise levels' })
    .option('spacing', { choices: TIMESTEP_SPACINGS, group, describe: 'spacing of the timesteps' })
    .option('prediction-type', { choices: PREDICTION_TYPES, group, describe: 'what the model answers' })
    .option('guidance-scale', { type: 'number', group, describe: '1: none; default: what the family takes' })
    .option('seed', { type: 'number', group, describe: 'of the noise, 0; the same on every backend' })
    .option('size', { type: 'string', group, describe: "WxH of the picture in pixels; default: the model's own" });
}

/**
 * What the flags ask of a run.
 *
 * @throws SlothfulError `usage` for flags that exclude each other
 */
export function readRequest(argv: RunArguments): RunRequest {
  const { steps, sampler, sigmas, spacing, predictionType, guidanceScale, seed } = argv;
  refuseBoth('--prompt', argv.prompt, '--cond', argv.cond);
  refuseBoth('--negative-prompt', argv.negativePrompt, '--uncond', argv.uncond);
  refuseBoth('--negative-prompt', argv.negativePrompt, '--cond', argv.cond);
  if (argv.uncond !== undefined && argv.cond === undefined) {
    throw new SlothfulError('usage', '--uncond', 'needs --cond', 'with --prompt, use --negative-prompt');
  }
  return { steps, sampler, sigmas, spacing, prediction_type: predictionType, guidance_scale: guidanceScale, seed };
}

function refuseBoth(one: string, first: unknown, other: string, second: unknown): void {
  if (first === undefined || second === undefined) return;
  throw new SlothfulError('usage', one, `cannot be combined with ${other}`, 'give one');
}
