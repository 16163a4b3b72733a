import { SlothfulError } from '../../errors.ts';
import type { ModelSampling } from './model-sampling.ts';
import { type SolverName, solverOf } from './registry.ts';
import { type SigmaScheduleComfyUI, scheduledSigmas } from './sigma-schedules.ts';

/** What ComfyUI's KSampler and KSamplerAdvanced nodes say of the noise levels of a run. */
export interface RunSigmasOptions {
  readonly schedule: SigmaScheduleComfyUI;
  /** 1 to 10000. */
  readonly steps: number;
  readonly sampler: SolverName;
  /** KSampler: the share of the noise that a run starts from, 0 to 1; 1 by default. */
  readonly denoise?: number | undefined;
  /** KSamplerAdvanced: the first step that is run; 0 by default. */
  readonly startAtStep?: number | undefined;
  /** KSamplerAdvanced: the step before which the run ends; past the last by default. */
  readonly endAtStep?: number | undefined;
  /** KSamplerAdvanced: a run that ends early leaves its noise in the latent, where its last step else takes it away. */
  readonly leftoverNoise?: boolean | undefined;
}

/** The most steps that ComfyUI's nodes take. */
export const MOST_STEPS = 10_000;

/** The longest run that ComfyUI's nodes can ask for: the most steps, of the least share of the noise. */
const LONGEST = 1_000_000;

/** From here on ComfyUI takes `denoise` for all of the noise. */
const ALL = 0.9999;

/**
 * The noise levels that ComfyUI's KSampler or KSamplerAdvanced runs, falling: one more than the run has steps.
 *
 * Not always as many as `steps` says: ddim_uniform and beta round. None at all where ComfyUI hands the latent back as
 * it came in: `denoise` 0, or no step between start and end.
 *
 * @throws SlothfulError `bad-parameter` naming `steps`, `denoise`, `start_at_step` or `end_at_step` where out of range
 */
export function runSigmas(model: ModelSampling, options: RunSigmasOptions): Float32Array {
  const { steps, denoise = 1, startAtStep = 0, endAtStep = MOST_STEPS, leftoverNoise = false } = options;
  checkInteger('steps', steps, 1);
  checkInteger('start_at_step', startAtStep, 0);
  checkInteger('end_at_step', endAtStep, 0);
  if (!(denoise >= 0 && denoise <= 1)) {
    throw new SlothfulError('bad-parameter', 'denoise', `must be from 0 to 1, got ${denoise}`);
  }
  if (denoise === 0) return new Float32Array();
  const full = lastOf(model, options, denoise);
  const ended = full.slice(0, endAtStep + 1);
  if (ended.length < full.length && !leftoverNoise) ended[ended.length - 1] = 0;
  return startAtStep < ended.length - 1 ? ended.slice(startAtStep) : new Float32Array();
}

/** The end of a longer run, where not all of the noise is wanted. */
function lastOf(model: ModelSampling, { schedule, sampler, steps }: RunSigmasOptions, denoise: number): Float32Array {
  const skips = solverOf(sampler).skipsPenultimate === true;
  const wanted = denoise > ALL ? steps : Math.floor(steps / denoise);
  if (wanted > LONGEST) {
    const problem = `${denoise} of ${steps} steps is the end of a run of ${wanted}, more than ${LONGEST}`;
    throw new SlothfulError('bad-parameter', 'denoise', problem, 'take more of the noise or fewer steps');
  }
  const sigmas = scheduledSigmas(model, schedule, skips ? wanted + 1 : wanted);
  const visited = skips ? sigmas.filter((_, index) => index !== sigmas.length - 2) : sigmas;
  return denoise > ALL ? visited : visited.slice(-(steps + 1));
}

function checkInteger(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least && value <= MOST_STEPS) return;
  const problem = `must be an integer from ${least} to ${MOST_STEPS}, got ${value}`;
  throw new SlothfulError('bad-parameter', name, problem);
}
