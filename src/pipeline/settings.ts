import type { JsonObject } from '../graph/index.ts';
import { makeScheduler } from '../sampling/index.ts';
import type { RunRequest } from './request.ts';
import type { RunExtent, RunSettings } from './run-document.ts';
import { schedulerOf } from './schedule.ts';

const STEPS = 20;
const LCM_STEPS = 4;
/** What diffusers' pipelines take by default for each family; and what small models of pictures need. */
const GUIDANCE: Readonly<Record<string, number>> = { sd15: 7.5, sdxl: 5, ssd1b: 5 };
const PICTURE_GUIDANCE = 2;

/**
 * Completes what a user asked for by what the model says of itself.
 *
 * @param metadata the model's
 * @param guidable whether there is anything to be guided away from
 * @returns the settings, and in words what was chosen for the user
 * @throws SlothfulError `bad-parameter`, `unsupported`
 */
export function completeSettings(
  metadata: JsonObject,
  request: RunRequest,
  extent: RunExtent,
  guidable: boolean,
): { settings: RunSettings; notes: readonly string[] } {
  const { config, notes } = schedulerOf(metadata, request);
  const isLcm = config.type === 'lcm';
  const steps = request.steps ?? (isLcm ? LCM_STEPS : STEPS);
  makeScheduler(config, steps);
  const usual = isLcm ? 1 : usualGuidance(metadata);
  const guidance_scale = request.guidance_scale ?? (guidable ? usual : 1);
  const unguided = !guidable && usual > 1 && request.guidance_scale === undefined;
  return {
    settings: { ...extent, steps, scheduler: config, guidance_scale, seed: request.seed ?? 0 },
    notes: unguided ? [...notes, 'without guidance: nothing to be guided away from was given (--uncond)'] : notes,
  };
}

function usualGuidance({ data_space, family }: JsonObject): number {
  const isPicture = data_space !== undefined && data_space !== 'latent';
  return isPicture ? PICTURE_GUIDANCE : (GUIDANCE[String(family)] ?? 5);
}

/** The run's samples that the model evaluates at once: guidance doubles them. */
export function evaluatedBatch({ batch, guidance_scale }: RunSettings): number {
  return guidance_scale > 1 ? 2 * batch : batch;
}
