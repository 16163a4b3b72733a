import { blur } from './blur.ts';
import { checkAlike, combinePlanes, type Plane } from './plane.ts';

const CUT_SIGMA = 1;

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

function detail(image: readonly Plane[]): number {
  return image.reduce((sum, plane) => {
    const fine = combinePlanes(plane, blur(plane, CUT_SIGMA), (value, coarse) => value - coarse);
    return sum + fine.data.reduce((energy, value) => energy + value * value, 0);
  }, 0);
}
