import { checkConfig, type SamplerName, type SchedulerConfig } from './config.ts';
import { ddim } from './ddim.ts';
import { dpmpp2m } from './dpmpp-2m.ts';
import { euler } from './euler.ts';
import { eulerAncestral } from './euler-ancestral.ts';
import { lcm } from './lcm.ts';
import type { Scheduler } from './scheduler.ts';

const MAKERS: Record<SamplerName, (config: SchedulerConfig, steps: number) => Scheduler> = {
  ddim,
  euler,
  euler_ancestral: eulerAncestral,
  dpmpp_2m: dpmpp2m,
  lcm,
};

/**
 * The scheduler of a run.
 *
 * @param config of `parseSchedulerConfig` or `defaultConfig`, changed as you like
 * @param steps how many evaluations of the model, 1 to the training's timesteps (LCM: to its distillation's)
 * @throws SlothfulError `bad-parameter` for a combination that the sampler has not, or for steps out of range
 */
export function makeScheduler(config: SchedulerConfig, steps: number): Scheduler {
  return MAKERS[config.type](checkConfig(config, 'scheduler'), steps);
}
