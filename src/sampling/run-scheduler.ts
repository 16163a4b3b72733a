import type { RunSettings } from './run-settings.ts';
import { makeScheduler, type Scheduler } from './schedulers/index.ts';
import { isSolverConfig, type SolverConfig } from './solver-config.ts';
import {
  type ModelSampling,
  modelSampling,
  runSigmas,
  type Solver,
  type SolverName,
  solverOf,
} from './solvers/index.ts';
import { firstStep } from './start.ts';

/** One evaluation of the model: what it is told, and the noise level that strides go by. */
export interface ModelCall {
  readonly timestep: number;
  readonly sigma: number;
}

/** The steps of one run of a sampler of ComfyUI's. */
export interface SolverScheduler {
  readonly definitions: 'comfyui';
  readonly type: SolverName;
  readonly solver: Solver;
  readonly model: ModelSampling;
  /** Noise levels, one more than steps; none where nothing is to be done. */
  readonly levels: Float32Array;
}

/** The steps of one run, by diffusers' definitions or by ComfyUI's. */
export type RunScheduler = Scheduler | SolverScheduler;

/** Whether a run goes by ComfyUI's definitions. */
export function isSolver(scheduler: RunScheduler): scheduler is SolverScheduler {
  return 'solver' in scheduler;
}

/** Which part of a schedule is run, and how it begins and ends. */
type Course = Pick<RunSettings, 'steps' | 'strength' | 'part'>;

/**
 * The scheduler of settings.
 *
 * @throws SlothfulError `bad-parameter` as `makeScheduler` and `makeSolver`
 */
export function schedulerOfSettings({ scheduler, ...course }: Course & Pick<RunSettings, 'scheduler'>): RunScheduler {
  return isSolverConfig(scheduler) ? makeSolver(scheduler, course) : makeScheduler(scheduler, course.steps);
}

/**
 * A sampler of ComfyUI's with the noise levels that its nodes KSampler (`strength` is their `denoise`) and KSamplerAdvanced
 * (`part`) make for it.
 *
 * @throws SlothfulError `bad-parameter` for steps or a strength out of range, `unsupported` for a sampler that is not built
 */
export function makeSolver(config: SolverConfig, { steps, strength, part }: Course): SolverScheduler {
  const { type, sigmas: schedule, model_sampling, rescale_betas_zero_snr: zsnr = false, ...training } = config;
  const model = modelSampling({ ...training, kind: model_sampling ?? 'eps', zsnr });
  const levels = runSigmas(model, {
    ...{ schedule, steps, sampler: type, denoise: strength },
    ...{ startAtStep: part?.start_at_step, endAtStep: part?.end_at_step },
    leftoverNoise: part?.return_with_leftover_noise,
  });
  return { definitions: 'comfyui', type, solver: solverOf(type), model, levels };
}

/**
 * The evaluations of every step that a run does.
 *
 * @param strength of a run by diffusers' definitions that starts from an image: only the last steps are done
 */
export function modelCalls(scheduler: RunScheduler, strength?: number): ModelCall[][] {
  if (isSolver(scheduler)) {
    const { solver, model, levels } = scheduler;
    const callAt = (sigma: number) => ({ sigma, timestep: model.timestep(sigma) });
    return solver.calls(levels).map((step) => step.map(callAt));
  }
  const { timesteps, sigmas } = scheduler;
  const calls = timesteps.map((timestep, index) => [{ timestep, sigma: sigmas[index] ?? 0 }]);
  return calls.slice(firstStep(timesteps.length, strength));
}
