import { combine } from '../schedulers/scheduler.ts';
import { slopeOf, solverBy, splitStep } from './solver.ts';

/** Euler's method on the noise level (Karras et al. 2022, algorithm 2 without churn). ComfyUI's ddim is the same. */
export const euler = solverBy({
  noise: 'none',
  begin: () => (moment) => combine([1, moment.sample], [moment.next - moment.sigma, slopeOf(moment)]),
});

/** Euler's method that goes too far down, and up again with fresh noise (k-diffusion). */
export const eulerAncestral = solverBy({
  noise: 'fresh',
  begin: (task) => (moment) => {
    const { sigma, next } = moment;
    const { down, up } = splitStep(sigma, next);
    return combine([1, moment.sample], [down - sigma, slopeOf(moment)], [up, task.noise(sigma, next)]);
  },
});

/** Latent consistency models' sampling (Luo et al. 2023): each answer is the picture, noised anew. */
export const lcm = solverBy({
  noise: 'fresh',
  begin:
    (task) =>
    ({ sigma, next, denoised }) =>
      combine([1, denoised], [next, task.noise(sigma, next)]),
});

/** Ho et al. 2020's ancestral sampling, with the steps of any schedule, on samples that are picture + sigma * noise. */
export const ddpm = solverBy({
  noise: 'fresh',
  begin: (task) => (moment) => {
    const { sigma, next, sample } = moment;
    const [now, then] = [alphaCumprod(sigma), alphaCumprod(next)];
    const kept = now / then;
    // DDPM's sample has variance 1: it is scaled there (by sqrt(now)) and back (by 1 / sqrt(then)).
    const back = 1 / Math.sqrt(then * kept);
    const spread = Math.sqrt(((1 - kept) * (1 - then)) / (1 - now) / then);
    return combine(
      [back * Math.sqrt(now), sample],
      [(-back * (1 - kept)) / Math.sqrt(1 - now), slopeOf(moment)],
      [spread, task.noise(sigma, next)],
    );
  },
});

const alphaCumprod = (sigma: number): number => 1 / (sigma ** 2 + 1);
