import * as tf from '@tensorflow/tfjs-core';
import type { HiddenForm, OutputForm } from '../attention/node/contract.ts';
import { SlothfulError } from '../errors.ts';
import type { Grid } from '../passes/slothful/window.ts';
import { isRank3, product } from './shape.ts';

const RANKS: Readonly<Record<HiddenForm, number>> = { tokens: 3, flat: 2, grid: 4 };

/**
 * Tokens of any form as [B, N, C]; no copy.
 *
 * @param batch needed for the flat form
 * @param name the tensor's, for messages
 * @throws SlothfulError `bad-model`
 */
export function toTokens(tensor: tf.Tensor, form: HiddenForm, batch: number | undefined, name: string): tf.Tensor3D {
  if (tensor.rank !== RANKS[form]) {
    const problem = `expected ${RANKS[form]}-D ${name}, got ${tensor.rank}-D [${tensor.shape}]`;
    throw new SlothfulError('bad-model', name, problem);
  }
  if (isRank3(tensor)) return tensor;
  const items = form === 'grid' ? tensor.shape[0] : batch;
  const channels = tensor.shape.at(-1) ?? 0;
  const rows = product(tensor.shape.slice(0, -1));
  if (!items || rows % items !== 0) {
    throw new SlothfulError(
      'bad-model',
      name,
      `${rows} flat tokens are not those of ${items ?? 'a known number of'} images`,
    );
  }
  return tf.reshape(tensor, [items, rows / items, channels]);
}

/**
 * Merged heads [B, N, inner] in the form that the graph goes on with; no copy.
 *
 * @throws SlothfulError `bad-model` where a grid is asked for that is not known
 */
export function fromTokens(tokens: tf.Tensor3D, form: OutputForm, heads: number, grid: Grid | undefined): tf.Tensor {
  const [batch, count, channels] = tokens.shape;
  if (form === 'tokens') return tokens;
  if (form === 'flat') return tf.reshape(tokens, [batch * count, channels]);
  if (form === 'heads') return tf.reshape(tokens, [batch, count, heads, channels / heads]);
  if (!grid || grid[0] * grid[1] !== count) {
    const known = grid ? grid.join(' x ') : 'unknown';
    throw new SlothfulError('bad-model', 'output', `${count} tokens do not fill the grid, which is ${known}`);
  }
  return tf.reshape(tokens, [batch, grid[0], grid[1], channels]);
}
