import type { JsonObject } from '../documents/index.ts';

/** What of a UNet may tell its family. ControlNets are told by it too, which have no up blocks. */
export interface UNetTraits {
  readonly inChannels: number;
  /** Width of the text's embeddings. */
  readonly contextDim: number;
  /** proj_in and proj_out are linear layers, not 1x1 convolutions. */
  readonly linearProjection: boolean;
  /** From the shallowest: the number of transformer blocks after each resnet. */
  readonly down: readonly { readonly width: number; readonly depths: readonly number[] }[];
  /** The number of transformer blocks, 0: no attention. */
  readonly mid: { readonly depth: number };
  readonly addition: Addition | null;
}

/** SDXL's added conditioning: pooled text and six sizes, embedded and added to the time embedding. */
export interface Addition {
  /** Width of each of the six sinusoidal embeddings. */
  readonly timeEmbedDim: number;
  /** Width of `text_embeds`. */
  readonly textEmbedDim: number;
}

/** Red, green and blue as sums of the latent's channels, for values of 0 to 255. */
export interface LatentColours {
  readonly factors: readonly (readonly number[])[];
  readonly biases: readonly number[];
}

/** All that the toolkit knows of one family of UNets. */
export interface Family {
  /** As metadata, reports and fixtures have it. */
  readonly name: string;
  /** As people write it. */
  readonly title: string;
  /** The models that take the same text. */
  readonly generation: string;
  /**
   * Whether a UNet is of the family, whatever its widths. Asked in the order of the registry: a family that is a special
   * case of another stands above it.
   */
  readonly describes: (unet: UNetTraits) => boolean;

  /** Self-attentions in each kind of block: how a graph that names no family is recognised. */
  readonly selfAttentions: { readonly input: number; readonly middle: number; readonly output: number };
  /** Of the real model: hints at what a graph may be. */
  readonly contextDim: number;

  /** What a checkpoint without a config does not tell, beside the tensors that it goes with. */
  readonly linearProjection: boolean;
  readonly addition: Addition | null;
  /** Heads of every attention: so many everywhere, or so wide. */
  readonly heads: { readonly count: number } | { readonly width: number };
  /** Rows and columns of the latent that it was trained on. */
  readonly sampleSize: number;

  /** Its scheduler_config.json, as far as the arithmetic of samplers depends on it. */
  readonly scheduler: JsonObject;
  /** Usual scale of classifier-free guidance: what diffusers' pipeline takes by default. */
  readonly guidanceScale: number;
  /** What latents are multiplied by after the VAE's encoder: `scaling_factor` of its config. */
  readonly scalingFactor: number;
  /** No negative prompt at all is conditioned on as zeros: `force_zeros_for_empty_prompt` of diffusers' pipeline. */
  readonly forceZerosForEmptyPrompt: boolean;
  /** What its latents look like, about. */
  readonly latentColours: LatentColours;
}

/** Noise levels that Stable Diffusion was trained with, from the first release to SDXL. */
export const TRAINING = {
  num_train_timesteps: 1000,
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: 'scaled_linear',
  prediction_type: 'epsilon',
  steps_offset: 1,
} as const;

/** Inputs of the layer that embeds the added conditioning: the pooled text, and six sizes. */
export function additionWidth({ timeEmbedDim, textEmbedDim }: Addition): number {
  return textEmbedDim + 6 * timeEmbedDim;
}
