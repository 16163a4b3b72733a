import { type Attributes, attr, type Endpoint } from '../../src/graph/index.ts';
import type { GraphBuilder } from './graph-builder.ts';

const ONES = attr.ints([1, 1, 1, 1]);

/** Node scope of a diffusers module name. */
export function scopeOf(module: string): string {
  return module.replaceAll('.', '/');
}

/**
 * A linear layer over flat tokens [M, in] -> [M, out].
 *
 * Tokens are kept flat because a 2-D product is the fast path of every backend, and because wasm's fused product with a
 * bias is wrong for more dimensions.
 */
export function linear(
  builder: GraphBuilder,
  module: string,
  x: Endpoint,
  size: { inputs: number; outputs: number; bias?: boolean; conv?: boolean },
): Endpoint {
  const { inputs, outputs, bias = true, conv = false } = size;
  const weight = builder.matrix(`${module}.weight`, inputs, outputs, { conv });
  return product(builder, scopeOf(module), x, weight, bias ? builder.vector(`${module}.bias`, outputs) : undefined);
}

/** A 2-D matrix product with an optional bias. */
export function product(
  builder: GraphBuilder,
  scope: string,
  x: Endpoint,
  weight: Endpoint,
  bias?: Endpoint,
): Endpoint {
  const attributes = { transpose_a: attr.bool(false), transpose_b: attr.bool(false) };
  if (!bias) return builder.op(`${scope}/MatMul`, 'MatMul', [x, weight], attributes);
  return builder.op(`${scope}/MatMul`, '_FusedMatMul', [x, weight, bias], {
    ...attributes,
    num_args: attr.int(1),
    fused_ops: attr.strings(['BiasAdd']),
    epsilon: attr.float(0),
  });
}

/**
 * A convolution with bias, NHWC. With stride 2 the padding is one pixel on every side, as PyTorch has it: TF's SAME
 * would pad the bottom and right only.
 */
export function conv(
  builder: GraphBuilder,
  module: string,
  x: Endpoint,
  size: { inputs: number; outputs: number; kernel?: 1 | 3; stride?: 1 | 2 },
): Endpoint {
  const { inputs, outputs, kernel = 3, stride = 1 } = size;
  const weight = builder.kernel(`${module}.weight`, kernel, inputs, outputs);
  const bias = builder.vector(`${module}.bias`, outputs);
  const padding: Attributes =
    stride === 1
      ? { padding: attr.string('SAME') }
      : { padding: attr.string('EXPLICIT'), explicit_paddings: attr.ints([0, 0, 1, 1, 1, 1, 0, 0]) };
  return builder.op(`${scopeOf(module)}/Conv2D`, '_FusedConv2D', [x, weight, bias], {
    strides: attr.ints([1, stride, stride, 1]),
    dilations: ONES,
    data_format: attr.string('NHWC'),
    num_args: attr.int(1),
    fused_ops: attr.strings(['BiasAdd']),
    epsilon: attr.float(0),
    ...padding,
  });
}

/** x * sigmoid(x) */
export function silu(builder: GraphBuilder, scope: string, x: Endpoint): Endpoint {
  const gate = builder.op(`${scope}/Sigmoid`, 'Sigmoid', [x]);
  return builder.op(`${scope}/silu`, 'Mul', [x, gate]);
}

/** gelu(x) = x * (0.5 + 0.5 erf(x / sqrt 2)), the exact one. */
export function gelu(builder: GraphBuilder, scope: string, x: Endpoint): Endpoint {
  const op = (name: string, kind: string, inputs: Endpoint[]) => builder.op(`${scope}/${name}`, kind, inputs);
  const erf = op('erf', 'Erf', [op('scaled', 'Mul', [x, builder.float(Math.SQRT1_2)])]);
  const share = op('share', 'AddV2', [op('half', 'Mul', [erf, builder.float(0.5)]), builder.float(0.5)]);
  return op('gelu', 'Mul', [x, share]);
}
