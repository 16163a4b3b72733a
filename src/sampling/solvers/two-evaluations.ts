import { combine } from '../schedulers/scheduler.ts';
import { type Moment, type SolverTask, slopeOf, solverBy, splitStep } from './solver.ts';

const f32 = Math.fround;

/** Halfway between two noise levels by their logarithms, rounded where ComfyUI's float32 tensors are. */
function midpoint(sigma: number, next: number): number {
  const [from, to] = [f32(Math.log(sigma)), f32(Math.log(next))];
  return f32(Math.exp(f32(from + f32(to - from) / 2)));
}

/** The same, of a step that first goes down below `next`. */
const midpointDown = (sigma: number, next: number): number => midpoint(sigma, f32(splitStep(sigma, next).down));

/** Heun's method: the mean of the slopes at both ends of the step (Karras et al. 2022, algorithm 1 without churn). */
export const heun = solverBy({
  noise: 'none',
  second: (_, next) => next,
  begin: (task) => async (moment) => {
    const { sample, sigma, next } = moment;
    const slope = slopeOf(moment);
    const ahead = combine([1, sample], [next - sigma, slope]);
    const slopeAhead = slopeOf({ sample: ahead, denoised: await task.denoise(ahead, next), sigma: next });
    return combine([1, sample], [(next - sigma) / 2, slope], [(next - sigma) / 2, slopeAhead]);
  },
});

/** DPM-Solver-2 (Karras et al. 2022's, without churn): the whole step by the slope halfway. */
export const dpm2 = solverBy({
  noise: 'none',
  skipsPenultimate: true,
  second: midpoint,
  begin: (task) => (moment) => byMiddleSlope(task, moment, midpoint(moment.sigma, moment.next), moment.next),
});

/** DPM-Solver-2 that goes too far down, and up again with fresh noise (k-diffusion). */
export const dpm2Ancestral = solverBy({
  noise: 'fresh',
  skipsPenultimate: true,
  second: midpointDown,
  begin: (task) => async (moment) => {
    const { sigma, next } = moment;
    const { down, up } = splitStep(sigma, next);
    const below = await byMiddleSlope(task, moment, midpointDown(sigma, next), down);
    return combine([1, below], [up, task.noise(sigma, next)]);
  },
});

async function byMiddleSlope(task: SolverTask, moment: Moment, middle: number, end: number): Promise<Float32Array> {
  const { sample, sigma } = moment;
  const halfway = combine([1, sample], [middle - sigma, slopeOf(moment)]);
  const slope = slopeOf({ sample: halfway, denoised: await task.denoise(halfway, middle), sigma: middle });
  return combine([1, sample], [end - sigma, slope]);
}

/** DPM-Solver++(2S) (Lu et al. 2022) that goes too far down, and up again with fresh noise. */
export const dpmpp2sAncestral = solverBy({
  noise: 'fresh',
  second: midpointDown,
  begin: (task) => async (moment) => {
    const { sigma, next, sample } = moment;
    const { down, up } = splitStep(sigma, next);
    const middle = midpointDown(sigma, next);
    const halfway = towards(moment.denoised, sample, middle / sigma);
    const below = towards(await task.denoise(halfway, middle), sample, down / sigma);
    return combine([1, below], [up, task.noise(sigma, next)]);
  },
});

/** DPM-Solver++ on the stochastic equation, with a second evaluation halfway (k-diffusion's sample_dpmpp_sde). */
export const dpmppSde = solverBy({
  noise: 'brownian',
  second: midpoint,
  begin: (task) => async (moment) => {
    const { sigma, next, sample } = moment;
    const middle = midpoint(sigma, next);
    const toMiddle = splitStep(sigma, middle);
    const halfway = combine(
      [1, towards(moment.denoised, sample, toMiddle.down / sigma)],
      [toMiddle.up, task.noise(sigma, middle)],
    );
    const toNext = splitStep(sigma, next);
    const below = towards(await task.denoise(halfway, middle), sample, toNext.down / sigma);
    return combine([1, below], [toNext.up, task.noise(sigma, next)]);
  },
});

/** From the sample to the picture, until so much of the noise is left. */
function towards(denoised: Float32Array, sample: Float32Array, left: number): Float32Array {
  return combine([left, sample], [1 - left, denoised]);
}
