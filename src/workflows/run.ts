import type { SlothfulNode } from './slothful-nodes.ts';

/** A LoRA with its strengths on the UNet and on the text encoders; 0 where it is not on the way of one. */
export interface WorkflowLora {
  readonly name: string;
  readonly model: number;
  readonly clip: number;
}

/** Sizes and crop in pixels that SDXL is told with a prompt. */
export interface PromptSizes {
  readonly width: number;
  readonly height: number;
  readonly cropWidth: number;
  readonly cropHeight: number;
  readonly targetWidth: number;
  readonly targetHeight: number;
}

/** A prompt; with `textG` and `sizes` where SDXL's own node gives its second text encoder another one. */
export interface WorkflowPrompt {
  readonly text: string;
  readonly textG?: string;
  readonly sizes?: PromptSizes;
}

/** What a run starts from, and how many pictures it makes. */
export type WorkflowLatent = {
  /** How many pictures. */
  readonly batch: number;
  /** Which noises of a larger batch they have; null: the first ones, drawn at once. */
  readonly batchIndex: readonly number[] | null;
} & (
  | { readonly kind: 'empty'; readonly width: number; readonly height: number }
  | { readonly kind: 'image'; readonly image: string }
);

/** FreeU's scales; version 2 is FreeU_V2. */
export interface WorkflowFreeU {
  readonly version: 1 | 2;
  readonly b1: number;
  readonly b2: number;
  readonly s1: number;
  readonly s2: number;
}

/** What ModelSamplingDiscrete says of the model: eps, v_prediction, lcm, ... */
export interface WorkflowModelSampling {
  readonly sampling: string;
  readonly zsnr: boolean;
}

/** What only KSamplerAdvanced has. */
export interface AdvancedSampling {
  readonly addNoise: boolean;
  readonly startAtStep: number;
  readonly endAtStep: number;
  readonly returnWithLeftoverNoise: boolean;
}

/** One sampler of a workflow. */
export interface WorkflowPass {
  readonly nodeId: string;
  readonly positive: WorkflowPrompt;
  readonly negative: WorkflowPrompt;
  /** 0 to 2^64 - 1. */
  readonly seed: bigint;
  readonly steps: number;
  readonly cfg: number;
  /** As ComfyUI calls it. */
  readonly sampler: string;
  readonly scheduler: string;
  readonly denoise: number;
  /** Null for KSampler. */
  readonly advanced: AdvancedSampling | null;
  /** In the order in which they act, nearest the loader first. */
  readonly slothful: readonly SlothfulNode[];
  readonly freeu: WorkflowFreeU | null;
  readonly modelSampling: WorkflowModelSampling | null;
}

/** What a workflow of ComfyUI asks for. */
export interface WorkflowRun {
  readonly checkpoint: string;
  /** Null: the checkpoint's own. */
  readonly vae: string | null;
  readonly loras: readonly WorkflowLora[];
  /** CLIPSetLastLayer's value: -1 the last layer. */
  readonly clipSkip: number;
  readonly latent: WorkflowLatent;
  /** In the order in which they run: each begins with what the one before has left. */
  readonly passes: readonly WorkflowPass[];
  /** VAEDecodeTiled's, in pixels; null: decoded in one go. */
  readonly tiles: { readonly tileSize: number; readonly overlap: number } | null;
  readonly output: { readonly nodeId: string; readonly filenamePrefix: string };
  /** What the user should know. */
  readonly notes: readonly string[];
}
