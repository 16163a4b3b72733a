import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Grid } from '../../attention/index.ts';
import { SlothfulError } from '../../errors.ts';
import { inHostMemory, isRank3 } from '../../kernels/index.ts';
import { type ControlRow, isUntouched, UNTOUCHED } from './control.ts';
import { poolKeysValues } from './kv-pooling.ts';

/** A shape as tfjs-layers writes it: null where a dimension is not known. */
type Shape = (number | null)[];

/** What a call of `KVPooling` is told besides its input. */
export interface KVPoolingArgs {
  /** Default: leave the input alone. */
  readonly row?: ControlRow;
  /** Rows and columns of the tokens; needed where `row` does anything. */
  readonly grid?: Grid;
}

/**
 * A layer that makes the inputs of the key and value projections of Slothful Attention: sampled and pooled hidden
 * states, blended. It has no weights and no configuration: each call brings its control row and grid.
 *
 * Input [B, N, C]; outputs [kIn, vIn], each [B, M, C].
 *
 * @example
 * const [kIn, vIn] = new KVPooling().apply(hiddenStates, { row: controlRow(parameters, 'input', 6), grid: [64, 64] });
 */
export class KVPooling extends tfl.layers.Layer {
  /** @nocollapse */
  static readonly className = 'KVPooling';

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: KVPoolingArgs = {}): tf.Tensor[] {
    const hiddenStates = Array.isArray(inputs) ? inputs[0] : inputs;
    if (!hiddenStates || !isRank3(hiddenStates)) {
      const got = hiddenStates ? `[${hiddenStates.shape}]` : 'none';
      throw new SlothfulError('bad-input', this.name, `expected hidden states [B, N, C], got ${got}`);
    }
    return this.pool(hiddenStates, kwargs.row, kwargs.grid);
  }

  /**
   * The same with types: K input and V input of hidden states [B, h*w, C].
   *
   * @throws SlothfulError `bad-input` where the grid is not that of the tokens
   */
  pool(hiddenStates: tf.Tensor3D, row: ControlRow = UNTOUCHED, grid?: Grid): [tf.Tensor3D, tf.Tensor3D] {
    const tokens = hiddenStates.shape[1];
    if (!isUntouched(row) && (!grid || grid[0] * grid[1] !== tokens)) {
      const problem = `${tokens} tokens are not those of the grid ${grid ? grid.join(' x ') : '(none given)'}`;
      throw new SlothfulError('bad-input', this.name, problem, 'give the rows and columns of the hidden states');
    }
    return poolKeysValues({ tf, inHostMemory: inHostMemory() }, hiddenStates, row, grid ?? [tokens, 1]);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape[] {
    const [batch = null, , channels = null] = inputShape.flat();
    return [
      [batch, null, channels],
      [batch, null, channels],
    ];
  }
}

tf.serialization.registerClass(KVPooling);
