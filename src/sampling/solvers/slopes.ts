import { combine } from '../schedulers/scheduler.ts';
import { remembered, slopeOf, solverBy } from './solver.ts';

/** How many slopes the linear multistep methods look at. */
const ORDER = 4;

/** Linear multistep method (Katherine Crowson's k-diffusion): integrates the polynomial through the last slopes. */
export const lms = solverBy({
  noise: 'none',
  begin: () => {
    const remember = remembered<{ sigma: number; slope: Float32Array }>(ORDER);
    return (moment) => {
      const points = remember({ sigma: moment.sigma, slope: slopeOf(moment) });
      const levels = points.map(({ sigma }) => sigma);
      const terms = points.map(
        ({ slope }, index) => [lagrangeIntegral(levels, index, moment.sigma, moment.next), slope] as const,
      );
      return combine([1, moment.sample], ...terms);
    };
  },
});

/** The integral of the polynomial that is 1 at one level and 0 at the others: cubic, so Gauss' two points are exact. */
function lagrangeIntegral(levels: readonly number[], index: number, from: number, to: number): number {
  const own = levels[index] ?? 0;
  const others = levels.filter((_, other) => other !== index);
  const at = (sigma: number) => others.reduce((product, other) => (product * (sigma - other)) / (own - other), 1);
  const [middle, reach] = [(from + to) / 2, (to - from) / 2 / Math.sqrt(3)];
  return ((to - from) / 2) * (at(middle - reach) + at(middle + reach));
}

/** Adams and Bashforth's weights of the last slopes, newest first, by how many there are. */
const ADAMS_BASHFORTH: readonly (readonly number[])[] = [
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
];

/** Improved pseudo numerical methods (Zhang and Chen 2022): the weights of even steps, whatever the steps are. */
export const ipndm = solverBy({
  noise: 'none',
  begin: () => {
    const remember = remembered<Float32Array>(ORDER);
    return (moment) => {
      const slopes = remember(slopeOf(moment));
      const weights = ADAMS_BASHFORTH[slopes.length - 1] ?? [];
      const length = moment.next - moment.sigma;
      const terms = slopes.map((slope, index) => [length * (weights[index] ?? 0), slope] as const);
      return combine([1, moment.sample], ...terms);
    };
  },
});

/** Gradient estimation with gamma 2 (Permenter and Yuan 2023): Euler's step, and the last change of slope once more. */
export const gradientEstimation = solverBy({
  noise: 'none',
  begin: () => {
    const remember = remembered<Float32Array>(2);
    return (moment) => {
      const [slope, before] = remember(slopeOf(moment));
      const length = moment.next - moment.sigma;
      if (!slope) return moment.sample;
      if (!before) return combine([1, moment.sample], [length, slope]);
      return combine([1, moment.sample], [2 * length, slope], [-length, before]);
    };
  },
});
