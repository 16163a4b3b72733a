import { blur } from './blur.ts';
import { combinePlanes, meanOf, meanOverChannels, type Plane } from './plane.ts';

const WINDOW_SIGMA = 1.5;
const K1 = 0.01;
const K2 = 0.03;

/**
 * Structural similarity (Wang et al. 2004), -1 to 1, 1 for the same image: Gaussian window of sigma 1.5, mean over all
 * pixels and channels. Windows at the edges see the image mirrored, so that small pictures can be compared too.
 *
 * @param peak the range of the values
 * @throws SlothfulError `bad-input` for images of two sizes
 */
export function ssim(reference: readonly Plane[], other: readonly Plane[], peak: number): number {
  return meanOverChannels(reference, other, (a, b) => planeSsim(a, b, (K1 * peak) ** 2, (K2 * peak) ** 2));
}

function planeSsim(a: Plane, b: Plane, c1: number, c2: number): number {
  const local = (plane: Plane) => blur(plane, WINDOW_SIGMA).data;
  const product = (x: Plane, y: Plane) => local(combinePlanes(x, y, (p, q) => p * q));
  const [meanA, meanB, aa, bb, ab] = [local(a), local(b), product(a, a), product(b, b), product(a, b)];
  const map = meanA.map((ma, index) => {
    const mb = meanB[index] ?? 0;
    const [varianceA, varianceB] = [(aa[index] ?? 0) - ma * ma, (bb[index] ?? 0) - mb * mb];
    const covariance = (ab[index] ?? 0) - ma * mb;
    const likeness = (2 * ma * mb + c1) * (2 * covariance + c2);
    return likeness / ((ma * ma + mb * mb + c1) * (varianceA + varianceB + c2));
  });
  return meanOf({ ...a, data: map });
}
