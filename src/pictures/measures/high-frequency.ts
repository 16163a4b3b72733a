import { blur } from './blur.ts';
import { checkAlike, combinePlanes, type Plane } from './plane.ts';

const CUT_SIGMA = 1;
/** Detail this small against the values is what rounding leaves of a flat image. */
const ROUNDING = 1e-6;

/**
 * How much fine detail an image has against another: the ratio of their energies above what a Gaussian of sigma 1 pixel
 * keeps. Below 1 it is smoother than the reference, above 1 it is rougher.
 *
 * @returns null where the reference has no detail at all and the other has
 * @throws SlothfulError `bad-input` for images of two sizes
 */
export function highFrequencyRatio(reference: readonly Plane[], other: readonly Plane[]): number | null {
  checkAlike(reference, other);
  const [before, after] = [detail(reference), detail(other)];
  if (before > 0) return after / before;
  return after > 0 ? null : 1;
}

/** Energy of the fine detail; 0 where it is rounding. */
function detail(image: readonly Plane[]): number {
  return image.reduce((sum, plane) => {
    const fine = combinePlanes(plane, blur(plane, CUT_SIGMA), (value, coarse) => value - coarse);
    return sum + Math.max(0, energy(fine) - ROUNDING ** 2 * energy(plane));
  }, 0);
}

function energy({ data }: Plane): number {
  return data.reduce((sum, value) => sum + value * value, 0);
}
