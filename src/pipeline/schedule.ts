import { isObject, type JsonObject } from '../graph/index.ts';
import {
  defaultConfig,
  type ParsedScheduler,
  parseSchedulerConfig,
  type SchedulerConfig,
  withSampler,
} from '../sampling/index.ts';
import type { RunRequest } from './request.ts';

/**
 * The scheduler of a run: the one that was asked for, or that the model suggests (as one with a fused LCM-LoRA does), or
 * that it was trained with, or DDIM; with the model's own betas and prediction.
 *
 * @throws SlothfulError `bad-parameter`, `unsupported`
 */
export function schedulerOf(metadata: JsonObject, request: RunRequest): ParsedScheduler {
  const { config, notes } = request.sampler ? { config: ownConfig(metadata).config, notes: [] } : suggested(metadata);
  const sampler = request.sampler ? withSampler(config, request.sampler) : config;
  return { config: changed(sampler, request), notes };
}

function changed(config: SchedulerConfig, { sigmas, spacing, prediction_type }: RunRequest): SchedulerConfig {
  return {
    ...config,
    sigmas: sigmas ?? config.sigmas,
    timestep_spacing: spacing ?? config.timestep_spacing,
    prediction_type: prediction_type ?? config.prediction_type,
  };
}

function ownConfig({ scheduler }: JsonObject): ParsedScheduler {
  if (scheduler === undefined) return { config: defaultConfig('ddim'), notes: [] };
  return parseSchedulerConfig(scheduler, 'metadata.scheduler');
}

function suggested(metadata: JsonObject): ParsedScheduler {
  const { suggested_scheduler: suggestion, scheduler } = metadata;
  if (suggestion === undefined) return ownConfig(metadata);
  const fields = isObject(suggestion) ? suggestion : { _class_name: suggestion };
  const own = isObject(scheduler) ? scheduler : {};
  const { config } = parseSchedulerConfig({ ...own, ...fields }, 'metadata.suggested_scheduler');
  return { config, notes: [`the model suggests the sampler ${config.type}, and gets it; --sampler takes another`] };
}
