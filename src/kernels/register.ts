import { type GraphNode, registerOp } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { SLOTHFUL_OP } from '../attention/node/contract.ts';
import { parseAttributes } from '../attention/node/parse-attributes.ts';
import { SlothfulError } from '../errors.ts';
import { SlothfulAttention } from './slothful-attention.ts';

/** Layers have no state, so nodes with the same attributes share one. */
const layers = new Map<string, SlothfulAttention>();

/**
 * Teaches TF.js the op of patched graphs. Call it before a patched model is loaded (`loadUNet` does); calling it again
 * changes nothing. The registry is TF.js's own, global by op name.
 */
export function registerSlothfulOps(): void {
  registerOp(SLOTHFUL_OP, execute);
}

function execute(node: GraphNode): tf.Tensor {
  const output = layerOf(node.attrs).apply(node.inputs);
  if (output instanceof tf.Tensor) return output;
  throw new SlothfulError('bug', SLOTHFUL_OP, 'the layer gave something that is no tensor');
}

function layerOf(attributes: GraphNode['attrs']): SlothfulAttention {
  const key = JSON.stringify(attributes);
  const known = layers.get(key);
  if (known) return known;
  const layer = new SlothfulAttention(parseAttributes(attributes, SLOTHFUL_OP));
  layers.set(key, layer);
  return layer;
}
