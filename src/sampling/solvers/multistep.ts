import { combine } from '../schedulers/scheduler.ts';
import { type Moment, remembered, type Solver, type SolverTask, slopeOf, solverBy, splitStep } from './solver.ts';

/** What is remembered of a step: the picture, and how far it went in the logarithm of the noise level. */
interface Past {
  readonly denoised: Float32Array;
  /** ln(sigma / next), above 0. */
  readonly length: number;
}

const pastOf = ({ denoised, sigma, next }: Moment): Past => ({ denoised, length: Math.log(sigma / next) });

/** DPM-Solver++(2M) (Lu et al. 2022): the picture goes on as it changed in the step before. */
export const dpmpp2m = solverBy({
  noise: 'none',
  begin: () => {
    const remember = remembered<Past>(2);
    return (moment) => {
      const { sample, denoised, sigma, next } = moment;
      const [now, before] = remember(pastOf(moment));
      const gone = 1 - next / sigma;
      const bend = now && before ? now.length / (2 * before.length) : 0;
      return combine(
        [next / sigma, sample],
        [gone * (1 + bend), denoised],
        [-gone * bend, before?.denoised ?? denoised],
      );
    };
  },
});

/** The terms that the stochastic methods share: the exact step of a picture that does not change, and its noise. */
function sdeTerms(task: SolverTask, { sample, denoised, sigma, next }: Moment) {
  const left = next / sigma;
  const gone = 1 - left ** 2;
  const terms: readonly (readonly [number, Float32Array])[] = [
    [left ** 2, sample],
    [gone, denoised],
    [next * Math.sqrt(gone), task.noise(sigma, next)],
  ];
  return { terms, gone };
}

/** DPM-Solver++(2M) on the stochastic equation; the two kinds weigh the change of the picture differently. */
function dpmpp2mSdeBy(weight: (gone: number, length: number) => number): Solver {
  return solverBy({
    noise: 'brownian',
    begin: (task) => {
      const remember = remembered<Past>(2);
      return (moment) => {
        const [now, before] = remember(pastOf(moment));
        const { terms, gone } = sdeTerms(task, moment);
        if (!now || !before) return combine(...terms);
        const bend = (weight(gone, now.length) * now.length) / before.length;
        return combine(...terms, [bend, now.denoised], [-bend, before.denoised]);
      };
    },
  });
}

/** The midpoint kind. */
export const dpmpp2mSde = dpmpp2mSdeBy((gone) => gone / 2);
/** Heun's kind. */
export const dpmpp2mSdeHeun = dpmpp2mSdeBy((gone, length) => 1 - gone / (2 * length));

/** DPM-Solver++(3M) on the stochastic equation (k-diffusion): slope and curvature of the last three pictures. */
export const dpmpp3mSde = solverBy({
  noise: 'brownian',
  begin: (task) => {
    const remember = remembered<Past>(3);
    return (moment) => {
      const [now, before, older] = remember(pastOf(moment));
      const { terms, gone } = sdeTerms(task, moment);
      if (!now || !before) return combine(...terms);
      const whole = 2 * now.length;
      const phi2 = 1 - gone / whole;
      const phi3 = phi2 / whole - 1 / 2;
      const r = before.length / now.length;
      const first = combine([1 / r, now.denoised], [-1 / r, before.denoised]);
      if (!older) return combine(...terms, [phi2, first]);
      const q = older.length / now.length;
      const second = combine([1 / q, before.denoised], [-1 / q, older.denoised]);
      const curve = (phi2 * r - phi3) / (r + q);
      return combine(...terms, [phi2 + curve, first], [-curve, second]);
    };
  },
});

/** RES of second order (Zhang et al. 2023, "Improved Order Analysis and Design of Exponential Integrator"). */
function resMultistepBy(
  split: (sigma: number, next: number) => { down: number; up: number },
  noise: 'none' | 'fresh',
): Solver {
  return solverBy({
    noise,
    begin: (task) => {
      const remember = remembered<{ denoised: Float32Array; sigma: number; down: number }>(2);
      return (moment) => {
        const { sigma, next, denoised } = moment;
        const { down, up } = split(sigma, next);
        const [, before] = remember({ denoised, sigma, down });
        const below = before ? resStep(moment, down, before) : combine([1, denoised], [down, slopeOf(moment)]);
        return up > 0 ? combine([1, below], [up, task.noise(sigma, next)]) : below;
      };
    },
  });
}

function resStep(
  { sample, denoised, sigma }: Moment,
  down: number,
  before: { denoised: Float32Array; sigma: number; down: number },
) {
  const length = Math.log(sigma / down);
  const back = Math.log(before.down / before.sigma) / length;
  const phi1 = Math.expm1(-length) / -length;
  const phi2 = (phi1 - 1) / -length;
  return combine(
    [down / sigma, sample],
    [length * (phi1 - phi2 / back), denoised],
    [(length * phi2) / back, before.denoised],
  );
}

/** RES without fresh noise. ComfyUI draws some for it too, and multiplies it by nothing. */
export const resMultistep = resMultistepBy((_, next) => ({ down: next, up: 0 }), 'none');
/** RES that goes too far down, and up again with fresh noise. */
export const resMultistepAncestral = resMultistepBy(splitStep, 'fresh');
