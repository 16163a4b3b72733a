const RHO = 7;

/**
 * Noise levels from `max` to `min` as Karras et al. 2022 (equation 5, rho 7) space them.
 *
 * @param steps how many; one step is at `max`
 */
export function karrasSigmas(max: number, min: number, steps: number): number[] {
  const from = max ** (1 / RHO);
  const to = min ** (1 / RHO);
  return Array.from({ length: steps }, (_, index) => (from + (index / Math.max(steps - 1, 1)) * (to - from)) ** RHO);
}

/**
 * The fractional timestep of a noise level: linear in the logarithm of sigma, the end's beyond the ends.
 *
 * @param sigmas of the training schedule, rising
 */
export function timestepOfSigma(sigma: number, sigmas: Float32Array): number {
  const above = sigmas.findIndex((level) => Math.log(level) > Math.log(sigma));
  const last = sigmas.length - 2;
  const low = above < 0 ? last : Math.min(Math.max(above - 1, 0), last);
  const logLow = Math.log(sigmas[low] ?? sigma);
  const logHigh = Math.log(sigmas[low + 1] ?? sigma);
  const weight = (logLow - Math.log(sigma)) / (logLow - logHigh);
  return low + Math.min(Math.max(weight, 0), 1);
}
