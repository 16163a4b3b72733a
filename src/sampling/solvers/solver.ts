import { combine } from '../schedulers/scheduler.ts';

/** What one run of a solver is given. All arrays have one length; their layout is the caller's. */
export interface SolverTask {
  /** Falling noise levels, one more than steps; the last is 0 where the run goes to the end. */
  readonly sigmas: Float32Array;
  /** At sigmas[0]: picture + sigma * noise. */
  readonly sample: Float32Array;
  /** What the model takes the finished picture to be, after guidance: one evaluation at this very noise level. */
  denoise(sample: Float32Array, sigma: number): Promise<Float32Array>;
  /** Standard normal noise for a step from sigma to next (Brownian noise depends on both), in the original's order. */
  noise(sigma: number, next: number): Float32Array;
}

export interface SolverStep {
  /** After the step. */
  readonly sample: Float32Array;
  /** What the model took the picture to be at the step's own noise level. */
  readonly denoised: Float32Array;
}

/** One of ComfyUI's samplers, over noise levels that are already known. It keeps no state between runs. */
export interface Solver {
  /** One item a step: as many as sigmas less one. Throws as `calls` does. */
  run(task: SolverTask): AsyncGenerator<SolverStep, void, undefined>;
  /**
   * The noise levels at which each step evaluates the model, by step; the first is the step's own. Known before a run:
   * plans need them.
   *
   * @throws SlothfulError `bad-parameter` for as few steps as the solver has no use for
   */
  calls(sigmas: Float32Array): number[][];
  /** What noise it asks for: none, fresh at every step, or the increments of one Brownian path of the whole run. */
  readonly noise: 'none' | 'fresh' | 'brownian';
  /** ComfyUI draws its Brownian path on the device of the model (on a CUDA card by Philox), not on the CPU. */
  readonly noiseOnDevice?: boolean;
  /** ComfyUI takes one step more for it, and leaves out the last noise level above the end. */
  readonly skipsPenultimate?: boolean;
}

/** A step as it begins: where it goes, and the model's first answer. */
export interface Moment {
  readonly step: number;
  readonly sigma: number;
  /** The noise level to go to, above 0. */
  readonly next: number;
  readonly sample: Float32Array;
  readonly denoised: Float32Array;
}

/** A solver that is one rule for every step. */
export interface Method extends Pick<Solver, 'noise' | 'noiseOnDevice' | 'skipsPenultimate'> {
  /** Where a step evaluates the model a second time. */
  readonly second?: (sigma: number, next: number) => number;
  /** Begins a run: what it gives takes one step after another to the next sample, and may remember those before. */
  begin(task: SolverTask): (moment: Moment) => Float32Array | Promise<Float32Array>;
}

/** A solver of a method. The step to noise level 0 is to the denoised picture itself, whatever the method. */
export function solverBy({ begin, second, ...facts }: Method): Solver {
  return {
    ...facts,
    calls: (sigmas) =>
      intervals(sigmas).map(([sigma, next]) => (next && second ? [sigma, second(sigma, next)] : [sigma])),
    run: async function* (task) {
      const advance = begin(task);
      let { sample } = task;
      for (const [step, [sigma, next]] of intervals(task.sigmas).entries()) {
        const denoised = await task.denoise(sample, sigma);
        sample = next === 0 ? denoised : await advance({ step, sigma, next, sample, denoised });
        yield { sample, denoised };
      }
    },
  };
}

/** The noise level of each step, and the one that it goes to. */
export function intervals(sigmas: Float32Array): [sigma: number, next: number][] {
  return Array.from(sigmas.subarray(1), (next, step) => [sigmas[step] ?? 0, next]);
}

/** The change of the sample with the noise level: the noise that is in it (Karras et al. 2022, equation 1). */
export function slopeOf({ sample, denoised, sigma }: Pick<Moment, 'sample' | 'denoised' | 'sigma'>): Float32Array {
  return combine([1 / sigma, sample], [-1 / sigma, denoised]);
}

/** A step from one noise level to the next: part of the way down without noise, and then up again with fresh noise. */
export function splitStep(sigma: number, next: number): { down: number; up: number } {
  const up = Math.min(next, Math.sqrt((next ** 2 * (sigma ** 2 - next ** 2)) / sigma ** 2));
  return { down: Math.sqrt(next ** 2 - up ** 2), up };
}

/** What the last few steps left behind, newest first. */
export function remembered<T>(most: number): (newest: T) => readonly T[] {
  let kept: readonly T[] = [];
  return (newest) => {
    kept = [newest, ...kept].slice(0, most);
    return kept;
  };
}
