import type { Argv } from 'yargs';
import { BACKEND_NAMES } from '../../backends/index.ts';
import { SlothfulError } from '../../errors.ts';
import type { ControlNetFiles, StartFiles, TextChoice } from '../../jobs/node.ts';
import { isComfyui, type PipelineSetup, type RunRequest } from '../../pipeline/index.ts';
import {
  type GuidedSizes,
  PREDICTION_TYPES,
  type PredictionType,
  TIMESTEP_SPACINGS,
  type TimestepSpacing,
} from '../../sampling/index.ts';
import { PROMPT_WEIGHTS, type Prompts, type PromptWeights } from '../../text/index.ts';
import {
  type NoiseArguments,
  readNoiseFlags,
  readSampler,
  type SamplerArguments,
  withNoiseFlags,
  withSamplerFlags,
} from './sampler-flags.ts';
import { pair, pictureSize } from './size-flags.ts';

const RUN = 'Run:';
const COMPANIONS = 'Companions:';

/** Adds `--backend`, which forces one and fails where that does not work. */
export function withBackendFlag<T>(cli: Argv<T>) {
  return cli.option('backend', {
    choices: BACKEND_NAMES,
    describe: 'compute on this; by default the first that works',
  });
}

/** The flags that say how a run goes and what it is told. */
export interface RunArguments extends SamplerArguments, NoiseArguments {
  readonly prompt?: readonly string[] | undefined;
  readonly negativePrompt?: readonly string[] | undefined;
  readonly prompt2?: readonly string[] | undefined;
  readonly negativePrompt2?: readonly string[] | undefined;
  readonly weights?: PromptWeights | undefined;
  readonly clipSkip?: number | undefined;
  readonly originalSize?: string | undefined;
  readonly targetSize?: string | undefined;
  readonly crop?: string | undefined;
  readonly initImage?: string | undefined;
  readonly mask?: string | undefined;
  readonly strength?: number | undefined;
  readonly cond?: string | undefined;
  readonly uncond?: string | undefined;
  readonly steps?: number | undefined;
  readonly spacing?: TimestepSpacing | undefined;
  readonly predictionType?: PredictionType | undefined;
  readonly guidanceScale?: number | undefined;
  readonly imageGuidanceScale?: number | undefined;
}

/** Adds what `plan`, `run` and `sweep` take in common, besides the model, its size and the node's parameters. */
export function withRunFlags<T>(cli: Argv<T>) {
  const group = RUN;
  const several = { type: 'string', array: true, nargs: 1, group } as const;
  return withNoiseFlags(withSamplerFlags(cli))
    .option('prompt', { ...several, describe: 'what to draw; several make as many pictures at once' })
    .option('negative-prompt', { ...several, describe: 'what to be guided away from; default: nothing' })
    .option('prompt-2', { ...several, describe: "other words for SDXL's second text encoder" })
    .option('negative-prompt-2', { ...several, describe: 'the same of the negative prompt' })
    .option('weights', { choices: PROMPT_WEIGHTS, group, describe: 'how weights in a prompt act; default: comfyui' })
    .option('clip-skip', {
      type: 'number',
      group,
      describe: 'layers of the text encoder: 1 the last, 2 the one before',
    })
    .option('cond', { type: 'string', group, describe: 'safetensors file with the text, and the other inputs by name' })
    .option('uncond', { type: 'string', group, describe: 'the same of the empty prompt, for guidance' })
    .option('steps', { type: 'number', group, describe: '20, for lcm 4' })
    .option('spacing', { choices: TIMESTEP_SPACINGS, group, describe: 'spacing of the timesteps' })
    .option('prediction-type', { choices: PREDICTION_TYPES, group, describe: 'what the model answers' })
    .option('guidance-scale', { type: 'number', group, describe: '1: none; default: what the family takes' })
    .option('image-guidance-scale', {
      type: 'number',
      group,
      describe: 'how much the image counts for a model as InstructPix2Pix, 1.5',
    })
    .option('init-image', { type: 'string', group, describe: 'picture to start from in the place of noise alone' })
    .option('mask', { type: 'string', group, describe: 'picture of its size, white where it is drawn anew' })
    .option('strength', { type: 'number', group, describe: 'how far it is noised, up to 1; 0.8, with a mask 1' })
    .option('original-size', { type: 'string', group, describe: "WxH that SDXL is told; default: the picture's" })
    .option('target-size', { type: 'string', group, describe: 'the same of the size that it shall look as large as' })
    .option('crop', { type: 'string', group, describe: 'TOPxLEFT that SDXL is told was cropped; default: 0x0' });
}

/**
 * What the flags ask of a run, and what they tell it.
 *
 * @throws SlothfulError `usage` for flags that exclude each other
 */
export function readRun(argv: RunArguments): RunRequest & TextChoice & StartFiles & Pick<PipelineSetup, 'sizes'> {
  const { steps, spacing, predictionType, guidanceScale, imageGuidanceScale, strength } = argv;
  const chosen = { ...readSampler(argv), ...readNoiseFlags(argv) };
  const { cond, uncond, weights, clipSkip, initImage, mask } = argv;
  refuseTextBesideTensors(argv);
  if (strength !== undefined && initImage === undefined && !isComfyui(chosen)) {
    throw new SlothfulError('usage', '--strength', 'is of the image to start from', 'give it with --init-image');
  }
  return {
    ...{ prompt: promptsOf(argv.prompt), negativePrompt: promptsOf(argv.negativePrompt), cond, uncond },
    ...{ prompt2: promptsOf(argv.prompt2), negativePrompt2: promptsOf(argv.negativePrompt2), weights, clipSkip },
    ...{ sizes: sizesOf(argv), initImage, mask, strength },
    ...{ ...chosen, steps, spacing, prediction_type: predictionType, guidance_scale: guidanceScale },
    image_guidance_scale: imageGuidanceScale,
  };
}

function refuseTextBesideTensors(argv: RunArguments): void {
  const { cond, uncond } = argv;
  refuseBoth('--prompt', argv.prompt, '--cond', cond);
  refuseBoth('--negative-prompt', argv.negativePrompt, '--uncond', uncond);
  refuseBoth('--negative-prompt', argv.negativePrompt, '--cond', cond);
  refuseBoth('--prompt-2', argv.prompt2, '--cond', cond);
  refuseBoth('--negative-prompt-2', argv.negativePrompt2, '--cond', cond);
  refuseBoth('--weights', argv.weights, '--cond', cond);
  refuseBoth('--clip-skip', argv.clipSkip, '--cond', cond);
  if (uncond !== undefined && cond === undefined) {
    throw new SlothfulError('usage', '--uncond', 'needs --cond', 'with --prompt, use --negative-prompt');
  }
}

function promptsOf(prompts: readonly string[] | undefined): Prompts | undefined {
  const [first, ...others] = prompts ?? [];
  return others.length ? prompts : first;
}

function sizesOf({ originalSize, targetSize, crop }: RunArguments): GuidedSizes | undefined {
  if (originalSize === undefined && targetSize === undefined && crop === undefined) return undefined;
  const [top = 0, left = 0] = crop === undefined ? [] : pair(crop, '--crop', 'TOPxLEFT, such as 0x64');
  return {
    original: originalSize === undefined ? undefined : pictureSize(originalSize, '--original-size'),
    crop: crop === undefined ? undefined : { top, left },
    target: targetSize === undefined ? undefined : pictureSize(targetSize, '--target-size'),
  };
}

function refuseBoth(one: string, first: unknown, other: string, second: unknown): void {
  if (first === undefined || second === undefined) return;
  throw new SlothfulError('usage', one, `cannot be combined with ${other}`, 'give one');
}

/** The flags that say what else steers a run. */
export interface CompanionArguments {
  readonly controlnet?: readonly string[] | undefined;
  readonly controlImage?: readonly string[] | undefined;
  readonly controlScale?: readonly number[] | undefined;
  readonly controlSlothful?: boolean | undefined;
  readonly imageEmbeds?: string | undefined;
  readonly ipAdapterScale?: number | undefined;
}

/** Adds the flags of ControlNets and IP-Adapters. */
export function withCompanionFlags<T>(cli: Argv<T>) {
  const group = COMPANIONS;
  const several = { array: true, nargs: 1, group } as const;
  return cli
    .option('controlnet', { type: 'string', ...several, describe: 'a converted ControlNet; repeatable' })
    .option('control-image', { type: 'string', ...several, describe: 'its picture, one for each --controlnet' })
    .option('control-scale', { type: 'number', ...several, describe: 'how much it counts, default 1' })
    .option('control-slothful', { type: 'boolean', group, describe: 'patch the ControlNets themselves too' })
    .option('image-embeds', { type: 'string', group, describe: "safetensors with the IP-Adapter's image_embeds" })
    .option('ip-adapter-scale', { type: 'number', group, describe: 'how much its image counts, default 1' });
}

/**
 * What the flags say of companions.
 *
 * @throws SlothfulError `usage` where images or scales are not one for each ControlNet
 */
export function readCompanions(argv: CompanionArguments) {
  const { controlnet = [], controlImage = [], controlScale = [], controlSlothful, imageEmbeds, ipAdapterScale } = argv;
  if (controlImage.length !== controlnet.length) {
    const problem = `is given ${controlImage.length} times for ${controlnet.length} ControlNets`;
    throw new SlothfulError('usage', '--control-image', problem, 'give one for each --controlnet, in their order');
  }
  if (controlScale.length > controlnet.length || controlScale.some((scale) => !Number.isFinite(scale))) {
    const problem = 'needs a number for each --controlnet';
    throw new SlothfulError('usage', '--control-scale', problem, 'give as many, or none');
  }
  const controlNets = controlnet.map((model, index): ControlNetFiles => {
    return { model, image: controlImage[index] ?? '', scale: controlScale[index] };
  });
  return { controlNets, patchControlNets: controlSlothful, imageEmbeds, ipAdapterScale };
}
