import { SlothfulError } from '../errors.ts';

const STEPS = 1000;
const BETA_START = 0.00085;
const BETA_END = 0.012;

let sigmas: Float64Array | undefined;

/**
 * The noise level of a training timestep of Stable Diffusion: `sqrt((1 - a) / a)`, `a` the running product of
 * `1 - beta`, beta scaled-linear from 0.00085 to 0.012 over 1000 steps.
 *
 * @param timestep 0..999, fractional too (sigma is interpolated linearly, as diffusers does); beyond the ends it is
 *   the end's
 * @throws SlothfulError `bad-input` where it is not a finite number
 */
export function sigmaOfTimestep(timestep: number): number {
  if (!Number.isFinite(timestep)) {
    throw new SlothfulError('bad-input', 'timestep', `must be a finite number, got ${timestep}`);
  }
  sigmas ??= trainingSigmas();
  const clamped = Math.min(Math.max(timestep, 0), STEPS - 1);
  const low = sigmas[Math.floor(clamped)] ?? 0;
  const high = sigmas[Math.ceil(clamped)] ?? low;
  return low + (high - low) * (clamped % 1);
}

function trainingSigmas(): Float64Array {
  const low = Math.sqrt(BETA_START);
  const step = (Math.sqrt(BETA_END) - low) / (STEPS - 1);
  let product = 1;
  return Float64Array.from({ length: STEPS }, (_, index) => {
    product *= 1 - (low + step * index) ** 2;
    return Math.sqrt((1 - product) / product);
  });
}
