import { combinePlanes, meanOf, meanOverChannels, type Plane } from './plane.ts';

/** Keeps flat places from counting: 170 for values to 255, as the authors chose it. */
const STABILITY = 170 / 255 ** 2;

/**
 * Gradient magnitude similarity (Xue et al. 2014), 0 to 1, 1 for the same edges: Prewitt's gradients, mean over all
 * pixels and channels.
 *
 * @param peak the range of the values
 * @throws SlothfulError `bad-input` for images of two sizes
 */
export function gradientSimilarity(reference: readonly Plane[], other: readonly Plane[], peak: number): number {
  const c = STABILITY * peak ** 2;
  return meanOverChannels(reference, other, (a, b) =>
    meanOf(combinePlanes(magnitude(a), magnitude(b), (p, q) => (2 * p * q + c) / (p * p + q * q + c))),
  );
}

/** Length of Prewitt's gradient; beyond the edges the outermost pixels repeat. */
function magnitude(plane: Plane): Plane {
  const { width, height, data } = plane;
  const value = (x: number, y: number) => data[clamp(y, height) * width + clamp(x, width)] ?? 0;
  const lengths = data.map((_, index) => {
    const [x, y] = [index % width, Math.floor(index / width)];
    let [across, down] = [0, 0];
    for (const offset of [-1, 0, 1]) {
      across += value(x + 1, y + offset) - value(x - 1, y + offset);
      down += value(x + offset, y + 1) - value(x + offset, y - 1);
    }
    return Math.hypot(across, down) / 3;
  });
  return { ...plane, data: lengths };
}

function clamp(place: number, length: number): number {
  return Math.min(Math.max(place, 0), length - 1);
}
