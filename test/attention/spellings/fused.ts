import { attr, type Endpoint, endpoint } from '../../../src/graph/index.ts';
import type { Spelling } from '../spelling.ts';
import { BIASES, CONTEXT, MATRICES, SIZE, SpellingBuilder, transposed } from '../spelling-builder.ts';

const { heads, headDim, channels, tokens, rows, columns } = SIZE;
const SCALE = headDim ** -0.5;
const NAMES = ['query', 'key', 'value'] as const;
const UNKNOWN = /not known without the weights: what the \w+ are cut from/;

/** Matrices of the same rows side by side, `width` columns of each in turn: all of them, or those of a head. */
export function sideBySide(matrices: readonly Float32Array[], width: number, rowCount: number): Float32Array {
  const inner = (matrices[0]?.length ?? 0) / rowCount;
  const total = inner * matrices.length;
  return Float32Array.from({ length: rowCount * total }, (_, index) => {
    const [row, column] = [Math.floor(index / total), index % total];
    const [turn, within] = [Math.floor(column / width), column % width];
    const [group, which] = [Math.floor(turn / matrices.length), turn % matrices.length];
    return matrices[which]?.[row * inner + group * width + within] ?? 0;
  });
}

const FUSED = NAMES.map((name) => MATRICES[name]);
const FUSED_BIAS = NAMES.map((name) => BIASES[name]);

/** From queries, keys and values as [B, heads, N, dim] to the end. */
function attend(b: SpellingBuilder, [query, key, value]: readonly Endpoint[]) {
  if (!query || !key || !value) throw new Error('three are needed');
  const logits = b.op('scaled', 'Mul', [b.product('logits', query, key, 'y'), b.float(SCALE)]);
  const sum = b.product('sum', b.softmax('softmax', logits), value);
  return b.finish(b.reshape('merged', b.transpose('together', sum, [0, 2, 1, 3]), [-1, tokens, channels]));
}

function splitHeads(b: SpellingBuilder, name: string, x: Endpoint, count: number = tokens): Endpoint {
  return b.transpose(`${name}/turned`, b.split(`${name}/heads`, x, count), [0, 2, 1, 3]);
}

export const fusedSplit: Spelling = {
  name: 'fused-split',
  about: 'torch.onnx, onnxsim, onnx2tf: one product of a weight [3C, C] and a bias, then Split of the last axis',
  kind: 'self',
  hiddenForm: 'flat',
  outputForm: 'tokens',
  bias: true,
  weights: 2,
  needsValues: UNKNOWN,
  miss: {
    about: 'the parts are not thirds',
    reached: 'values',
    reason: /queries, keys and values have 8, 8 and 4 channels/,
    node: 'logits',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.reshape('flat', b.sample(), [-1, channels]);
    const weight = b.weight('qkv/weight', [3 * channels, channels], transposed(sideBySide(FUSED, 8, 8), channels));
    const bias = b.weight('qkv/bias', [3 * channels], sideBySide(FUSED_BIAS, 8, 1));
    const made = b.op('qkv/BiasAdd', 'BiasAdd', [b.matmul('qkv/MatMul', x, weight, true), bias]);
    if (variant === 'miss') {
      b.op('qkv/split', 'SplitV', [made, b.ints([8, 8, 4, 4]), b.ints([1], [])], { num_split: attr.int(4) });
      const [query, key] = [0, 1].map((index) => splitHeads(b, NAMES[index] ?? '', endpoint('qkv/split', index)));
      const narrow = b.reshape('value/heads', endpoint('qkv/split', 2), [-1, tokens, heads, headDim / 2]);
      const softmax = b.softmax('softmax', b.product('logits', query ?? x, key ?? x, 'y'));
      const sum = b.product('sum', softmax, b.transpose('value/turned', narrow, [0, 2, 1, 3]));
      const twice = b.op('twice', 'ConcatV2', [sum, sum, b.ints([3], [])], { N: attr.int(2) });
      return b.finish(b.reshape('merged', b.transpose('together', twice, [0, 2, 1, 3]), [-1, tokens, channels]));
    }
    b.op('qkv/split', 'Split', [b.ints([1], []), made], { num_split: attr.int(3) });
    return attend(
      b,
      NAMES.map((name, index) => splitHeads(b, name, endpoint('qkv/split', index))),
    );
  },
};

export const fusedStrided: Spelling = {
  name: 'fused-strided',
  about: 'hand-written TensorFlow: qkv[..., :C], qkv[..., C:2*C], qkv[..., 2*C:], a bias each, values first',
  kind: 'self',
  hiddenForm: 'tokens',
  outputForm: 'tokens',
  bias: true,
  weights: 2,
  needsValues: UNKNOWN,
  miss: {
    about: 'the keys are every second channel',
    reached: 'values',
    reason: /the keys are every second channel of a product \(StridedSlice\), not a range of them/,
    node: 'key/cut',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.tokens(b.sample());
    const order = ['value', 'query', 'key'] as const;
    const fused = sideBySide(
      order.map((name) => MATRICES[name]),
      8,
      8,
    );
    const made = b.product('qkv/MatMul', x, b.weight('qkv/kernel', [channels, 3 * channels], fused));
    const cut = (name: (typeof order)[number], from: number, to: number, step: number) =>
      b.op(`${name}/cut`, 'StridedSlice', [made, b.ints([0, from]), b.ints([0, to]), b.ints([1, step])], {
        ellipsis_mask: attr.int(1),
        begin_mask: attr.int(from === 0 ? 2 : 0),
        end_mask: attr.int(to === 0 ? 2 : 0),
      });
    const project = (name: (typeof order)[number]) => {
      const start = order.indexOf(name) * channels;
      const wide = variant === 'miss' && name === 'key';
      const part = wide ? cut(name, 8, 0, 2) : cut(name, start, name === 'key' ? 0 : start + channels, 1);
      const bias = b.weight(`${name}/bias`, [1, 1, channels], BIASES[name]);
      return splitHeads(b, name, b.op(`${name}/biased`, 'AddV2', [part, bias]));
    };
    return attend(b, NAMES.map(project));
  },
};

export const fusedUnbind: Spelling = {
  name: 'fused-unbind',
  about: 'timm, DiT: [B, N, 3, heads, dim], turned to [3, B, heads, N, dim], unstacked; a bias on all',
  kind: 'self',
  hiddenForm: 'tokens',
  outputForm: 'tokens',
  bias: true,
  weights: 2,
  needsValues: UNKNOWN,
  miss: {
    about: 'keys and values are of all tokens but the first and the last',
    reached: 'values',
    reason: /the keys are part of another tensor \(Slice\)/,
    node: 'key/inner',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.tokens(b.sample());
    const made = b.product('qkv/MatMul', x, b.weight('qkv/kernel', [channels, 24], sideBySide(FUSED, 8, 8)));
    const biased = b.op('qkv/biased', 'AddV2', [b.weight('qkv/bias', [24], sideBySide(FUSED_BIAS, 8, 1)), made]);
    const apart = b.reshape('qkv/apart', biased, [-1, tokens, 3, heads, headDim]);
    b.op('qkv/unbind', 'Unpack', [b.transpose('qkv/turned', apart, [2, 0, 3, 1, 4])], {
      num: attr.int(3),
      axis: attr.int(0),
    });
    const parts = NAMES.map((_, index) => endpoint('qkv/unbind', index));
    if (variant !== 'miss') return attend(b, parts);
    const inner = (name: string, from: Endpoint) =>
      b.op(`${name}/inner`, 'Slice', [from, b.ints([0, 0, 1, 0]), b.ints([-1, -1, tokens - 2, -1])]);
    const [query = x, key = x, value = x] = parts;
    return attend(b, [query, inner('key', key), inner('value', value)]);
  },
};

export const fusedPerHead: Spelling = {
  name: 'fused-per-head',
  about: 'Megatron, MiDaS: [B, N, heads, 3, dim], each taken by its index, by Gather or StridedSlice',
  kind: 'self',
  hiddenForm: 'flat',
  outputForm: 'tokens',
  weights: 2,
  needsValues: UNKNOWN,
  miss: {
    about: 'the values are two parts of three that do not lie together, summed',
    reached: 'values',
    reason: /the values come from a Sum, not from a projection/,
    node: 'value/cut',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.reshape('flat', b.sample(), [-1, channels]);
    const fused = sideBySide(FUSED, headDim, 8);
    const made = b.matmul('qkv/MatMul', x, b.weight('qkv/kernel', [channels, 3 * channels], fused));
    const apart = b.reshape('qkv/apart', made, [-1, tokens, heads, 3, headDim]);
    const gather = (name: string, index: number) =>
      b.op(name, 'GatherV2', [apart, b.ints([index], []), b.ints([3], [])]);
    const last = () => b.op('value/both', 'GatherV2', [apart, b.ints([0, 2]), b.ints([-2], [])]);
    const value =
      variant === 'miss'
        ? b.op('value/cut', 'Sum', [last(), b.ints([3])])
        : b.op('value/cut', 'StridedSlice', [apart, b.ints([0, 2, 0]), b.ints([0, 3, 0]), b.ints([1, 1, 1])], {
            ellipsis_mask: attr.int(1),
            shrink_axis_mask: attr.int(2),
            end_mask: attr.int(4),
          });
    return attend(
      b,
      [gather('query/cut', 0), gather('key/cut', 1), value].map((part, index) => {
        return b.transpose(`${NAMES[index]}/turned`, part, [0, 2, 1, 3]);
      }),
    );
  },
};

export const fusedLastAxis: Spelling = {
  name: 'fused-after-heads',
  about: 'LDM, ADM: a 1x1 convolution to 3C, [B, heads, N, 3 * dim], SplitV of the last axis',
  kind: 'self',
  hiddenForm: 'grid',
  outputForm: 'grid',
  bias: true,
  weights: 2,
  needsValues: UNKNOWN,
  miss: {
    about: 'the axis that is cut holds parts of two heads',
    reached: 'values',
    reason: /the queries are cut across heads \(SplitV\)/,
    node: 'qkv/split',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.op('image', 'Identity', [b.sample()]);
    const kernel = b.weight('qkv/kernel', [1, 1, channels, 24], sideBySide(FUSED, headDim, 8));
    const bias = b.weight('qkv/bias', [24], sideBySide(FUSED_BIAS, headDim, 1));
    const conv = { strides: attr.ints([1, 1, 1, 1]), dilations: attr.ints([1, 1, 1, 1]), padding: attr.string('SAME') };
    const made = b.op('qkv/Conv2D', '_FusedConv2D', [x, kernel, bias], {
      ...conv,
      data_format: attr.string('NHWC'),
      num_args: attr.int(1),
      fused_ops: attr.strings(['BiasAdd']),
    });
    const torn = () => {
      const pieces = b.reshape('qkv/pieces', made, [-1, tokens, heads, 3, headDim]);
      const mixed = b.transpose('qkv/mixed', pieces, [0, 1, 4, 3, 2]);
      return b.transpose('qkv/turned', b.reshape('qkv/torn', mixed, [-1, tokens, headDim, 6]), [0, 2, 1, 3]);
    };
    const whole =
      variant === 'miss'
        ? torn()
        : b.transpose('qkv/turned', b.reshape('qkv/apart', made, [-1, tokens, heads, 3 * headDim]), [0, 2, 1, 3]);
    const size = variant === 'miss' ? 2 : headDim;
    b.op('qkv/split', 'SplitV', [whole, b.ints([size, size, -1]), b.ints([-1], [])], { num_split: attr.int(3) });
    const [query = x, key = x, value = x] = NAMES.map((_, index) => endpoint('qkv/split', index));
    const logits = b.op('scaled', 'Mul', [b.product('logits', query, key, 'y'), b.float(SCALE)]);
    const sum = b.product('sum', b.softmax('softmax', logits), value);
    const merged = b.reshape('merged', b.transpose('together', sum, [0, 2, 1, 3]), [-1, rows, columns, channels]);
    const out = b.weight('to_out/kernel', [1, 1, channels, channels], MATRICES.out);
    const attributes = { ...conv, data_format: attr.string('NHWC') };
    b.op('out', 'Identity', [b.op('to_out/Conv2D', 'Conv2D', [merged, out], attributes)]);
    return b.built();
  },
};

export const fusedKeysValues: Spelling = {
  name: 'fused-keys-values',
  about: 'cross-attention: queries by their own weight, keys and values by one',
  kind: 'cross',
  hiddenForm: 'tokens',
  outputForm: 'tokens',
  weights: 3,
  needsValues: UNKNOWN,
  miss: {
    about: 'the keys are doubled before the cut, and the values with them',
    reached: 'values',
    reason: /the values are scaled/,
    node: 'sum',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.tokens(b.sample());
    const text = b.placeholder('context', [-1, CONTEXT.tokens, CONTEXT.channels]);
    const fused = sideBySide([MATRICES.contextKey, MATRICES.contextValue], channels, CONTEXT.channels);
    const made = b.product('kv/MatMul', text, b.weight('kv/kernel', [CONTEXT.channels, 2 * channels], fused));
    const whole = variant === 'miss' ? b.op('kv/doubled', 'Mul', [made, b.float(2)]) : made;
    b.op('kv/split', 'Split', [b.ints([2], []), whole], { num_split: attr.int(2) });
    const query = splitHeads(b, 'query', b.dense('query', x, MATRICES.query));
    const [key, value] = [0, 1].map((index) =>
      splitHeads(b, NAMES[index + 1] ?? '', endpoint('kv/split', index), CONTEXT.tokens),
    );
    return attend(b, [query, key ?? x, value ?? x]);
  },
};

/** Queries, keys and values that are parts of one product, each with a near miss. */
export const FUSED_SPELLINGS: readonly Spelling[] = [
  fusedSplit,
  fusedStrided,
  fusedUnbind,
  fusedPerHead,
  fusedLastAxis,
  fusedKeysValues,
];
