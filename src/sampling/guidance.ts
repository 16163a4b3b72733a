import { SlothfulError } from '../errors.ts';
import type { BatchPart } from '../passes/index.ts';
import type { Conditioning } from './conditioning.ts';
import type { Definitions } from './solver-config.ts';
import { concatenate, type Values } from './values.ts';

/** How a run is guided: what the model is asked at once, and how its answers become one. */
export interface Guidance {
  /** In the order of the batch. */
  readonly parts: readonly BatchPart[];
  readonly scale: number;
  /** How much the image counts that a run changes by an instruction; undefined where there is none. */
  readonly imageScale: number | undefined;
  /** By how much it steers away from the part that a pass perturbs, at a timestep; undefined where there is none. */
  readonly perturbedScale: ((timestep: number) => number) | undefined;
}

/**
 * Whether a run computes what it is guided away from: by diffusers' definitions where the scale is above 1, by ComfyUI's
 * where it is not 1; of InstructPix2Pix where the image's scale is 1 or more too.
 */
export function isGuided(guidanceScale: number, definitions: Definitions, imageGuidanceScale?: number): boolean {
  if (imageGuidanceScale !== undefined) return guidanceScale > 1 && imageGuidanceScale >= 1;
  return definitions === 'comfyui' ? guidanceScale !== 1 : guidanceScale > 1;
}

/** The parts that a run's guidance has the model compute. */
export function guidanceOf(
  scale: number,
  definitions: Definitions,
  { imageScale, perturbedScale }: Partial<Pick<Guidance, 'imageScale' | 'perturbedScale'>> = {},
): Guidance {
  const of = { isImage: imageScale !== undefined, isPerturbed: perturbedScale !== undefined };
  return { parts: batchParts(isGuided(scale, definitions, imageScale), of), scale, imageScale, perturbedScale };
}

/** The parts that make up the model's batch. */
export function batchParts(
  isGuidedBatch: boolean,
  { isImage, isPerturbed }: { readonly isImage: boolean; readonly isPerturbed: boolean },
): readonly BatchPart[] {
  const away: readonly BatchPart[] = isGuidedBatch ? (isImage ? ['uncond', 'image'] : ['uncond']) : [];
  return [...away, 'cond', ...(isPerturbed ? (['perturbed'] as const) : [])];
}

/** Whether a part is told what is asked for. */
export function isAskedFor(part: BatchPart): boolean {
  return part === 'cond' || part === 'perturbed';
}

/** What each part is told in words: the image's the same as nothing's. @throws SlothfulError `bad-input` without `uncond` */
export function toldParts(
  { parts, scale }: Guidance,
  cond: Conditioning,
  uncond: Conditioning | undefined,
): readonly Conditioning[] {
  return parts.map((part) => {
    if (isAskedFor(part)) return cond;
    if (uncond) return uncond;
    const problem = `${scale} needs the unconditional half`;
    throw new SlothfulError('bad-input', 'guidanceScale', problem, 'give uncond, or a guidanceScale of 1');
  });
}

/** The same values once for each part of a batch. */
export function ofEachPart({ parts }: Guidance, { shape: [count = 0, ...rest], data }: Values): Values {
  return { shape: [parts.length * count, ...rest], data: concatenate(parts.map(() => data)) };
}

/**
 * Classifier-free guidance (Ho and Salimans 2022): unconditional + scale (conditional - unconditional). With an image
 * (Brooks et al. 2023, equation 3): unconditional + scale (conditional - image) + image scale (image - unconditional). With a
 * perturbed part (Ahn et al. 2024): also + its scale (conditional - perturbed).
 *
 * @param output of a batch of the guidance's parts
 * @returns of one part
 */
export function guided(output: Float32Array, guidance: Guidance, timestep: number): Float32Array {
  const { parts, perturbedScale } = guidance;
  const size = output.length / parts.length;
  const of = (part: BatchPart) => output.subarray(parts.indexOf(part) * size, (parts.indexOf(part) + 1) * size);
  const toText = guidedByText(of, guidance);
  const away = perturbedScale?.(timestep) ?? 0;
  if (away === 0) return toText;
  const [conditional, perturbed] = [of('cond'), of('perturbed')];
  return toText.map((value, index) => value + away * ((conditional[index] ?? 0) - (perturbed[index] ?? 0)));
}

function guidedByText(of: (part: BatchPart) => Float32Array, { parts, scale, imageScale = 0 }: Guidance): Float32Array {
  const conditional = of('cond');
  if (!parts.includes('uncond')) return conditional;
  if (!parts.includes('image')) {
    return of('uncond').map((value, index) => value + scale * ((conditional[index] ?? 0) - value));
  }
  const image = of('image');
  return of('uncond').map((value, index) => {
    const ofImage = image[index] ?? 0;
    return value + scale * ((conditional[index] ?? 0) - ofImage) + imageScale * (ofImage - value);
  });
}
