import { SlothfulError } from '../errors.ts';

/** How a model that takes no timestep but its embedding makes one of the other: sinusoids of falling frequencies. */
export interface TimestepSinusoid {
  /** Which half comes first. */
  readonly order: (typeof ORDERS)[number];
  /** Longest period, in units of 2 pi. */
  readonly maxPeriod: number;
}

const ORDERS = ['cos-sin', 'sin-cos'] as const;

/** What KerasCV's UNets of Stable Diffusion take, as `timestep_embedding` [B, 320] (keras_cv.models.StableDiffusion). */
export const KERAS_CV: TimestepSinusoid = { order: 'cos-sin', maxPeriod: 10_000 };

/**
 * Reads `sinusoid:cos-sin` or `sinusoid:sin-cos`, with another longest period than 10000 behind a colon.
 *
 * @throws SlothfulError `usage`
 */
export function parseTimestepInput(text: string): TimestepSinusoid {
  const [, order, period] = /^sinusoid:(cos-sin|sin-cos)(?::(\d{1,9}))?$/.exec(text) ?? [];
  const found = ORDERS.find((each) => each === order);
  const maxPeriod = period === undefined ? KERAS_CV.maxPeriod : Number(period);
  if (found && maxPeriod > 1) return { order: found, maxPeriod };
  const cure = 'write sinusoid:cos-sin or sinusoid:sin-cos, with :PERIOD where it is not 10000';
  throw new SlothfulError('usage', '--timestep-input', `cannot read "${text}"`, cure);
}

/**
 * The embeddings of timesteps: cos(t f_i) and sin(t f_i) with f_i = maxPeriod^(-i / half).
 *
 * @param width of an embedding, even
 * @returns [timesteps, width] by rows
 */
export function timestepEmbeddings(
  timesteps: readonly number[],
  width: number,
  { order, maxPeriod }: TimestepSinusoid,
): Float32Array {
  const half = width / 2;
  const angles = (timestep: number) =>
    Array.from({ length: half }, (_, index) => timestep * Math.exp((-Math.log(maxPeriod) * index) / half));
  const row = (timestep: number) => {
    const [cosines, sines] = [angles(timestep).map(Math.cos), angles(timestep).map(Math.sin)];
    return order === 'cos-sin' ? [...cosines, ...sines] : [...sines, ...cosines];
  };
  return Float32Array.from(timesteps.flatMap(row));
}
