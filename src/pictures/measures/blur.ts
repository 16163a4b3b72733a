import type { Plane } from './plane.ts';

/** Where a Gaussian is cut off, in sigmas; as scipy and scikit-image do for SSIM's window of 11. */
const TRUNCATE = 3.5;

/** A plane under a Gaussian of that sigma (in pixels); beyond its edges the plane is its own mirror image. */
export function blur(plane: Plane, sigma: number): Plane {
  const kernel = gaussian(sigma);
  const { width, height } = plane;
  const rows = filter(plane.data, kernel, { lines: height, step: width, length: width, stride: 1 });
  return { ...plane, data: filter(rows, kernel, { lines: width, step: 1, length: height, stride: width }) };
}

/** The weights from the middle to one end. */
function gaussian(sigma: number): number[] {
  const radius = Math.floor(TRUNCATE * sigma + 0.5);
  const weights = Array.from({ length: radius + 1 }, (_, x) => Math.exp(-(x * x) / (2 * sigma * sigma)));
  const sum = weights.reduce((total, weight, x) => total + (x ? 2 : 1) * weight, 0);
  return weights.map((weight) => weight / sum);
}

/** Rows, or columns, of a plane in an array. */
interface Lines {
  readonly lines: number;
  /** From the start of one line to that of the next. */
  readonly step: number;
  readonly length: number;
  /** From one value of a line to the next. */
  readonly stride: number;
}

function filter(data: Float32Array, kernel: readonly number[], { lines, step, length, stride }: Lines): Float32Array {
  const filtered = new Float32Array(data.length);
  for (let line = 0; line < lines; line++) {
    const value = (place: number) => data[line * step + mirrored(place, length) * stride] ?? 0;
    for (let place = 0; place < length; place++) {
      let sum = (kernel[0] ?? 0) * value(place);
      for (let x = 1; x < kernel.length; x++) sum += (kernel[x] ?? 0) * (value(place - x) + value(place + x));
      filtered[line * step + place * stride] = sum;
    }
  }
  return filtered;
}

/** A place beyond the ends, mirrored at the edge (the last value counts twice). */
function mirrored(place: number, length: number): number {
  if (place >= 0 && place < length) return place;
  const period = 2 * length;
  const within = ((place % period) + period) % period;
  return within < length ? within : period - 1 - within;
}
