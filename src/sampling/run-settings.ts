import {
  choice,
  type DocumentOf,
  either,
  flag,
  integer,
  list,
  named,
  number,
  object,
  optional,
  text,
} from '../documents/index.ts';
import { SCHEDULER_CONFIG } from './schedulers/index.ts';
import { SOLVER_CONFIG } from './solver-config.ts';

/** Whose noise a seed means: see `noiseSource`. */
export const RNGS = ['slothful', 'comfyui', 'comfyui-2025', 'comfyui-cuda', 'a1111'] as const;
export type Rng = (typeof RNGS)[number];

/** Whether a batch is one draw of one seed, as in ComfyUI; of the others image i is that of seed + i. */
export function drawsBatchAtOnce(rng: Rng | undefined): boolean {
  return rng !== undefined && rng !== 'slothful' && rng !== 'a1111';
}

/** The part of a schedule that the node KSamplerAdvanced runs. */
const PART = object(
  {
    add_noise: flag({ description: 'to what it starts from' }),
    start_at_step: integer({ minimum: 0 }),
    end_at_step: integer({ minimum: 0 }),
    return_with_leftover_noise: flag({ description: 'end at the noise level of the last step, not at none' }),
  },
  { description: 'of ComfyUI definitions: which of the steps are done, as by its node KSamplerAdvanced' },
);

/** Everything that decides a run besides the model, what it is told, and Slothful Attention's parameters. */
export const RUN_SETTINGS = named(
  'settings',
  object({
    rows: integer({ minimum: 1, description: 'height of the sample, in its own pixels' }),
    columns: integer({ minimum: 1, description: 'width of the sample, in its own pixels' }),
    batch: integer({ minimum: 1, description: 'images at once' }),
    scale: number({ exclusiveMinimum: 0, description: 'pixels of the picture for one of the sample, by side' }),
    steps: integer({ minimum: 1, description: 'of the schedule; with a strength only the last of them are done' }),
    strength: optional(
      number({ exclusiveMinimum: 0, maximum: 1, description: 'how far the image that it starts from is noised' }),
    ),
    part: optional(PART),
    scheduler: either([SCHEDULER_CONFIG, SOLVER_CONFIG]),
    guidance_scale: number({ description: 'classifier-free guidance; 1: none' }),
    guidance_dim: optional(
      integer({
        minimum: 1,
        maximum: 65536,
        description: 'the model is told the scale, embedded in so many values, and nothing is guided away from',
      }),
    ),
    image_guidance_scale: optional(
      number({ description: 'of a model that changes an image by an instruction: how much the image counts' }),
    ),
    seed: either([integer({ minimum: 0 }), text({ description: 'its digits' })], {
      description: 'image i is the picture of seed + i, but for the rng of ComfyUI; above 2^53 in quotes',
    }),
    rng: optional(choice(RNGS, { description: 'whose noise the seed means; default: slothful' })),
    batch_index: optional(
      list(integer({ minimum: 0, maximum: 4095 }), {
        description: 'the rng of ComfyUI: which pictures of a larger batch',
      }),
    ),
  }),
);
export type RunSettings = DocumentOf<typeof RUN_SETTINGS>;

/** A seed as settings have it: a number where it is exact, or else its digits. */
export function seedSetting(seed: bigint): RunSettings['seed'] {
  return seed <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(seed) : String(seed);
}

/**
 * What the picture of a batch is called by its seed: image i is that of seed + i. Of ComfyUI's rng, whose batch is one draw
 * of one seed, it is the seed and which of the batch it is.
 */
export function pictureSeed({ seed, rng, batch, batch_index }: RunSettings, image: number): string {
  if (!drawsBatchAtOnce(rng)) return String(BigInt(seed) + BigInt(image));
  return batch === 1 && !batch_index ? String(seed) : `${seed}-${batch_index?.[image] ?? image}`;
}

/** How large a run is. */
export type RunExtent = Pick<RunSettings, 'rows' | 'columns' | 'batch' | 'scale'>;
