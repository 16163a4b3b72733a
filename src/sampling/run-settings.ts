import { type DocumentOf, integer, named, number, object, optional } from '../documents/index.ts';
import { SCHEDULER_CONFIG } from './schedulers/index.ts';

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
    scheduler: SCHEDULER_CONFIG,
    guidance_scale: number({ description: 'classifier-free guidance; 1: none' }),
    seed: integer({ description: 'image i is the picture of seed + i' }),
  }),
);
export type RunSettings = DocumentOf<typeof RUN_SETTINGS>;

/** How large a run is. */
export type RunExtent = Pick<RunSettings, 'rows' | 'columns' | 'batch' | 'scale'>;
