import { familyOrUsual, type KnownFamily } from '../../src/families/index.ts';
import { type FamilyFile, type FamilyName, readFamily } from './family.ts';
import type { RandomTensor } from './random-weights.ts';
import { CLIP_BIG_G, CLIP_L, openClipTensors, type TextEncoderJson, transformersTensors } from './text-encoder.ts';
import { usualVae, type VaeJson, vaeTensors } from './vae.ts';
import { type CheckpointLayout, LDM_PREFIX } from './write-checkpoint.ts';

/** One network of a pipeline. */
export interface PipelinePart {
  /** Its folder in a diffusers pipeline. */
  readonly folder: 'unet' | 'text_encoder' | 'text_encoder_2' | 'vae';
  /** Who has its class, as model_index.json tells. */
  readonly library: 'diffusers' | 'transformers';
  readonly className: string;
  readonly config: unknown;
  /** By the names that each layout has: in a file of its own, and with its prefix in a single file. */
  readonly tensors: Readonly<Record<CheckpointLayout, readonly RandomTensor[]>>;
}

/** A whole pipeline. */
export interface PipelinePlan {
  readonly parts: readonly PipelinePart[];
  readonly scheduler: KnownFamily['scheduler'];
  readonly forceZerosForEmptyPrompt: boolean;
}

/** Latents are an eighth of the picture. */
const LATENT_PIXELS = 8;

/** The full-size pipeline of a family. */
export async function familyPipeline(name: FamilyName): Promise<PipelinePlan> {
  const family = familyOrUsual(name);
  const { scheduler, forceZerosForEmptyPrompt, sampleSize, scalingFactor, addition } = family;
  const vae = vaePart(usualVae(LATENT_PIXELS * sampleSize, scalingFactor));
  const unet = unetPart(await readFamily(name));
  const text = addition
    ? [textPart(CLIP_L, 'conditioner.embedders.0.transformer.'), secondTextPart(CLIP_BIG_G)]
    : [textPart(CLIP_L, 'cond_stage_model.transformer.')];
  return { parts: [unet, ...text, vae], scheduler, forceZerosForEmptyPrompt };
}

/** How many values a pipeline's tensors have. */
export function parametersOf({ parts }: PipelinePlan): number {
  const values = ({ shape }: RandomTensor) => shape.reduce((product, size) => product * size, 1);
  return parts.flatMap(({ tensors }) => tensors.diffusers.map(values)).reduce((sum, count) => sum + count, 0);
}

function unetPart({ config, tensors }: Pick<FamilyFile, 'config' | 'tensors'>): PipelinePart {
  const named = {
    diffusers: tensors.map(({ name, shape }) => ({ key: name, shape })),
    ldm: tensors.map(({ ldmName, shape }) => ({ key: `${LDM_PREFIX}${ldmName}`, shape })),
  };
  return { folder: 'unet', library: 'diffusers', className: 'UNet2DConditionModel', config, tensors: named };
}

/** @param prefix of the text encoder in a single file, which has transformers' names for it */
export function textPart(config: TextEncoderJson, prefix: string): PipelinePart {
  const tensors = transformersTensors(config);
  const [className] = config.architectures;
  const named = { diffusers: tensors, ldm: withPrefix(prefix, tensors) };
  return { folder: 'text_encoder', library: 'transformers', className, config, tensors: named };
}

export function secondTextPart(config: TextEncoderJson): PipelinePart {
  const [className] = config.architectures;
  const tensors = {
    diffusers: transformersTensors(config),
    ldm: withPrefix('conditioner.embedders.1.model.', openClipTensors(config)),
  };
  return { folder: 'text_encoder_2', library: 'transformers', className, config, tensors };
}

export function vaePart(config: VaeJson): PipelinePart {
  const tensors = {
    diffusers: vaeTensors(config, 'diffusers'),
    ldm: withPrefix('first_stage_model.', vaeTensors(config, 'ldm')),
  };
  return { folder: 'vae', library: 'diffusers', className: config._class_name, config, tensors };
}

function withPrefix(prefix: string, tensors: readonly RandomTensor[]): RandomTensor[] {
  return tensors.map(({ key, shape }) => ({ key: `${prefix}${key}`, shape }));
}
