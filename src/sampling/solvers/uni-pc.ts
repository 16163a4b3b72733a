import { SlothfulError } from '../../errors.ts';
import { combine } from '../schedulers/scheduler.ts';
import { solveLinear } from './solve-linear.ts';
import { intervals, type Solver } from './solver.ts';

/** A noise level as UniPC sees it, where a sample has variance 1. */
interface Level {
  /** Share of the picture in the sample. */
  readonly alpha: number;
  /** Share of the noise in it. */
  readonly spread: number;
  /** ln(alpha / spread). */
  readonly lambda: number;
}

/** A level that was visited, and what the picture was taken to be there. */
interface Visited {
  readonly level: Level;
  readonly denoised: Float32Array;
}

/** B(h) of the paper: by what the differences of pictures are scaled. The argument is -h. */
type Scale = (negativeLength: number) => number;

/** The highest order that ComfyUI goes to. */
const ORDER = 3;

/** Where ComfyUI ends a run to noise level 0, which has no logarithm. */
const LOWEST = 0.001;

/** UniPC with B(h) = h, ComfyUI's default. */
export const uniPc = uniPcBy((negativeLength) => negativeLength);
/** UniPC with B(h) = e^h - 1. */
export const uniPcBh2 = uniPcBy(Math.expm1);

/**
 * UniPC (Zhao et al. 2023) on the picture, of order 3 at most, as ComfyUI has it; the two kinds differ in B(h).
 *
 * A step begins with its evaluation, by which the sample that was predicted for this level is corrected; then the next
 * is predicted from it. So every step has one evaluation, and the end of the run is a prediction.
 */
function uniPcBy(scale: Scale): Solver {
  return {
    noise: 'none',
    skipsPenultimate: true,
    calls: (sigmas) => stepsOf(sigmas).map(({ sigma }) => [sigma]),
    run: async function* ({ sigmas, sample: start, denoise }) {
      let sample = start;
      let visited: readonly Visited[] = [];
      let correct: ((denoised: Float32Array) => Float32Array) | undefined;
      for (const { sigma, level, to, order } of stepsOf(sigmas)) {
        const denoised = await denoise(sample, sigma);
        const corrected = correct ? correct(denoised) : combine([level.alpha, sample]);
        visited = [{ level, denoised }, ...visited].slice(0, ORDER);
        const step = between(corrected, visited.slice(0, order), to, scale);
        correct = step.correct;
        sample = combine([1 / to.alpha, step.predicted]);
        yield { sample, denoised };
      }
    },
  };
}

/** @throws SlothfulError `bad-parameter` for a single step: ComfyUI hands the noise back there */
function stepsOf(sigmas: Float32Array) {
  const steps = intervals(sigmas);
  const count = steps.length;
  if (count === 1) {
    const cure = 'take two, or another sampler';
    throw new SlothfulError('bad-parameter', 'steps', 'UniPC does nothing in a single step', cure);
  }
  return steps.map(([sigma, next], step) => ({
    sigma,
    level: levelOf(sigma),
    to: levelOf(next || LOWEST),
    order: Math.min(step + 1, ORDER, count - 1, count - step),
  }));
}

const f32 = Math.fround;

/** In float32, as ComfyUI: at the lowest level 1 - alpha^2 has hardly a digit left, and the picture shows which. */
function levelOf(sigma: number): Level {
  const logAlpha = f32(Math.log(f32(1 / f32(f32(sigma * sigma) + 1))) / 2);
  const variance = f32(1 - f32(Math.exp(f32(2 * logAlpha))));
  const lambda = f32(logAlpha - f32(f32(Math.log(variance)) / 2));
  return { alpha: f32(Math.exp(logAlpha)), spread: f32(Math.sqrt(variance)), lambda };
}

/**
 * A step to a level: the sample there as it is predicted, and as it is corrected by what the model makes of that.
 *
 * @param sample of variance 1, at the newest level
 * @param visited newest first: as many as the step's order
 */
function between(sample: Float32Array, visited: readonly Visited[], to: Level, scale: Scale) {
  const [from, ...older] = visited;
  if (!from) throw new SlothfulError('bug', 'uni_pc', 'a step began before the model was evaluated');
  const { level, denoised } = from;
  const length = to.lambda - level.lambda;
  const ratios = older.map((past) => (past.level.lambda - level.lambda) / length);
  const bends = older.map((past, index) => {
    const share = 1 / (ratios[index] ?? 1);
    return combine([share, past.denoised], [-share, denoised]);
  });
  const base = combine([to.spread / level.spread, sample], [-to.alpha * Math.expm1(-length), denoised]);
  const factor = -to.alpha * scale(-length);
  const bent = (weights: readonly number[]) =>
    bends.map((bend, index) => [factor * (weights[index] ?? 0), bend] as const);
  const predicted = combine([1, base], ...bent(predictorWeights(ratios, -length, scale)));
  const correct = (ahead: Float32Array) => {
    const weights = correctorWeights(ratios, -length, scale);
    const own = factor * (weights[ratios.length] ?? 0);
    return combine([1, base], ...bent(weights), [own, ahead], [-own, denoised]);
  };
  return { predicted, correct };
}

/** With one difference the condition is met to its order by 1/2, which is what the paper and ComfyUI take. */
function predictorWeights(ratios: readonly number[], negativeLength: number, scale: Scale): number[] {
  return ratios.length === 1 ? [1 / 2] : orderConditions(ratios, negativeLength, scale);
}

function correctorWeights(ratios: readonly number[], negativeLength: number, scale: Scale): number[] {
  return ratios.length === 0 ? [1 / 2] : orderConditions([...ratios, 1], negativeLength, scale);
}

/** The weights for which a step is exact for pictures that are polynomials in lambda: equation 5 of the paper. */
function orderConditions(ratios: readonly number[], negativeLength: number, scale: Scale): number[] {
  let phi = Math.expm1(negativeLength) / negativeLength - 1;
  let factorial = 1;
  const rows = ratios.map((_, power) => {
    const right = (phi * factorial) / scale(negativeLength);
    factorial *= power + 2;
    phi = phi / negativeLength - 1 / factorial;
    return [...ratios.map((ratio) => ratio ** power), right];
  });
  return solveLinear(rows);
}
