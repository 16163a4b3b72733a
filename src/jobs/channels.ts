import { SlothfulError } from '../errors.ts';
import type { RunSettings, Values } from '../sampling/index.ts';
import * as tensors from '../tensors/index.ts';

/** [B, h, w, C] to [B, C, h, w], as the decoders of other frameworks take latents. */
export function channelsFirst(latents: Float32Array, { batch, rows, columns }: RunSettings): Values {
  const channels = latents.length / (batch * rows * columns);
  const data = tensors.channelsFirst(latents, [batch, rows, columns, channels]);
  return { shape: [batch, channels, rows, columns], data };
}

/** [B, C, h, w] of a run's size to [B, h, w, C]. @throws SlothfulError `bad-input` for another size */
export function channelsLast(
  { shape, data }: Values,
  { batch, rows, columns }: RunSettings,
  place: string,
): Float32Array {
  const [count, channels = 0, height, width] = shape;
  if (shape.length !== 4 || count !== batch || height !== rows || width !== columns) {
    const problem = `is [${shape.join(', ')}], and the run needs [${batch}, C, ${rows}, ${columns}]`;
    throw new SlothfulError('bad-input', place, problem, 'give --size and --batch to match');
  }
  return tensors.channelsLast(data, [batch, rows, columns, channels]);
}
