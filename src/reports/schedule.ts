import type { Graph } from '../graph/index.ts';
import {
  defaultConfig,
  makeScheduler,
  parseSchedulerConfig,
  type SamplerName,
  type SigmaSchedule,
  withSampler,
} from '../sampling/schedulers/index.ts';
import type { ScheduledStep } from './plan-report.ts';

/** Which run to plan. */
export interface ScheduleChoice {
  readonly steps: number;
  /** Default: what the model's metadata says, or else DDIM. */
  readonly scheduler?: SamplerName | undefined;
  readonly sigmas?: SigmaSchedule | undefined;
}

/** The steps of a run, and what they are in words. */
export interface Schedule {
  readonly name: string;
  readonly steps: readonly ScheduledStep[];
  readonly notes: readonly string[];
}

/**
 * The timesteps and noise levels that a run of a model goes through.
 *
 * @throws SlothfulError `bad-parameter`, `unsupported`
 */
export function scheduleOf({ metadata }: Graph, { steps, scheduler, sigmas }: ScheduleChoice): Schedule {
  const { config, notes } =
    metadata.scheduler === undefined
      ? { config: defaultConfig('ddim'), notes: [] }
      : parseSchedulerConfig(metadata.scheduler, 'metadata.scheduler');
  const sampler = scheduler ? withSampler(config, scheduler) : config;
  const chosen = sigmas ? { ...sampler, sigmas } : sampler;
  const run = makeScheduler(chosen, steps);
  const spacing = chosen.sigmas === 'karras' ? 'Karras sigmas' : `${chosen.timestep_spacing} spacing`;
  return {
    name: `${chosen.type}, ${steps} steps, ${spacing}`,
    steps: run.timesteps.map((timestep, index) => ({ timestep, sigma: run.sigmas[index] ?? 0 })),
    notes: scheduler ? [] : notes,
  };
}
