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

/** A convolution's sizes, and how it pads. */
export interface ConvSize {
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel?: 1 | 3;
  readonly stride?: 1 | 2;
  readonly bias?: boolean;
  /** With stride 2: one pixel on every side (the default), or on the bottom and the right alone. */
  readonly pad?: 'all' | 'end';
}

/**
 * A convolution, NHWC. With stride 2 the padding is given in pixels, as PyTorch has it: TF's SAME would pad the bottom and
 * right only, and of odd sizes all sides.
 */
export function conv(builder: GraphBuilder, module: string, x: Endpoint, size: ConvSize): Endpoint {
  const { inputs, outputs, kernel = 3, stride = 1, bias = true } = size;
  const weight = builder.kernel(`${module}.weight`, kernel, inputs, outputs);
  const attributes = {
    strides: attr.ints([1, stride, stride, 1]),
    dilations: ONES,
    data_format: attr.string('NHWC'),
  };
  const name = `${scopeOf(module)}/Conv2D`;
  if (!bias) return builder.op(name, 'Conv2D', [x, weight], { ...attributes, ...padding(size) });
  return builder.op(name, '_FusedConv2D', [x, weight, builder.vector(`${module}.bias`, outputs)], {
    ...attributes,
    num_args: attr.int(1),
    fused_ops: attr.strings(['BiasAdd']),
    epsilon: attr.float(0),
    ...padding(size),
  });
}

function padding({ stride = 1, pad = 'all' }: ConvSize): Attributes {
  if (stride === 1) return { padding: attr.string('SAME') };
  const before = pad === 'all' ? 1 : 0;
  return { padding: attr.string('EXPLICIT'), explicit_paddings: attr.ints([0, 0, before, 1, before, 1, 0, 0]) };
}

/** max(x, 0) */
export function relu(builder: GraphBuilder, scope: string, x: Endpoint): Endpoint {
  return builder.op(`${scope}/relu`, 'Relu', [x]);
}

/** x * sigmoid(x) */
export function silu(builder: GraphBuilder, scope: string, x: Endpoint): Endpoint {
  const gate = builder.op(`${scope}/Sigmoid`, 'Sigmoid', [x]);
  return builder.op(`${scope}/silu`, 'Mul', [x, gate]);
}

/** x * sigmoid(1.702 x), which stands for gelu in OpenAI's CLIP. */
export function quickGelu(builder: GraphBuilder, scope: string, x: Endpoint): Endpoint {
  const steep = builder.op(`${scope}/steep`, 'Mul', [x, builder.float(1.702)]);
  const gate = builder.op(`${scope}/Sigmoid`, 'Sigmoid', [steep]);
  return builder.op(`${scope}/quick_gelu`, 'Mul', [x, gate]);
}

/** gelu(x) = x * (0.5 + 0.5 erf(x / sqrt 2)), the exact one. */
export function gelu(builder: GraphBuilder, scope: string, x: Endpoint): Endpoint {
  const op = (name: string, kind: string, inputs: Endpoint[]) => builder.op(`${scope}/${name}`, kind, inputs);
  const erf = op('erf', 'Erf', [op('scaled', 'Mul', [x, builder.float(Math.SQRT1_2)])]);
  const share = op('share', 'AddV2', [op('half', 'Mul', [erf, builder.float(0.5)]), builder.float(0.5)]);
  return op('gelu', 'Mul', [x, share]);
}
