import { attr, type Endpoint, endpoint } from '../../../src/graph/index.ts';
import type { Spelling, Variant } from '../spelling.ts';
import { MATRICES, SIZE, SpellingBuilder, transposed } from '../spelling-builder.ts';

const { heads, headDim, channels, tokens } = SIZE;
const SCALE = headDim ** -0.5;

type Name = 'query' | 'key' | 'value';

/** [B, N, C] -> [B * heads, N, dim], the batch before the heads. */
function foldHeads(b: SpellingBuilder, name: string, x: Endpoint): Endpoint {
  const turned = b.transpose(`${name}/turned`, b.split(`${name}/heads`, x), [0, 2, 1, 3]);
  return b.reshape(`${name}/folded`, turned, [-1, tokens, headDim]);
}

export const foldedHeads: Spelling = {
  name: 'head-folding',
  about:
    'diffusers before PyTorch 2: head_to_batch_dim, baddbmm with beta 0 (an addition of zero times an empty tensor)',
  kind: 'self',
  hiddenForm: 'tokens',
  outputForm: 'tokens',
  needsValues: /may be zero, but the values of the constant "const_\d+" are not in the document/,
  miss: {
    about: 'the probabilities are an output as well',
    reached: 'scores',
    reason: /probabilities are read by 2 nodes/,
    node: 'softmax',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.tokens(b.sample());
    const project = (name: Name) => foldHeads(b, name, b.dense(name, x, MATRICES[name]));
    const key = b.transpose('key_turned', project('key'), [0, 2, 1]);
    const logits = b.op('alpha', 'Mul', [b.product('baddbmm', project('query'), key), b.float(SCALE)]);
    const empty = b.op('empty', 'Fill', [b.ints([tokens, tokens]), b.float(3)]);
    const sum = b.op('beta_add', 'AddV2', [b.op('beta', 'Mul', [empty, b.float(0)]), logits]);
    const softmax = b.softmax('softmax', sum);
    if (variant === 'miss') b.op('attention_map', 'Identity', [softmax]);
    const values = b.reshape('unfolded', b.product('bmm', softmax, project('value')), [-1, heads, tokens, headDim]);
    return b.finish(b.reshape('merged', b.transpose('together', values, [0, 2, 1, 3]), [-1, tokens, channels]));
  },
};

/** sqrt(dim ** -0.5), computed from the shape of the queries as exporters of SDPA do. */
function rootScale(b: SpellingBuilder, query: Endpoint): Endpoint {
  const shape = b.op('sdpa/Shape', 'Shape', [query], { out_type: attr.type('int32') });
  const last = b.op('sdpa/Slice', 'StridedSlice', [shape, b.ints([-1]), b.ints([9]), b.ints([1])], {
    end_mask: attr.int(1),
  });
  const dim = b.op('sdpa/Cast', 'Cast', [last], { SrcT: attr.type('int32'), DstT: attr.type('float32') });
  return b.op('sdpa/Sqrt_1', 'Sqrt', [b.op('sdpa/Div', 'RealDiv', [b.float(1), b.op('sdpa/Sqrt', 'Sqrt', [dim])])]);
}

export const scaledBoth: Spelling = {
  name: 'sdpa',
  about: 'ONNX export of scaled_dot_product_attention: the root of the scale on queries and on turned keys',
  kind: 'self',
  hiddenForm: 'tokens',
  outputForm: 'tokens',
  miss: {
    about: 'the queries are multiplied by another tensor, as a rotary position does',
    reached: 'values',
    reason: /the queries are multiplied by another tensor/,
    node: 'rotated',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.tokens(b.sample());
    const project = (name: Name, order: readonly number[]) =>
      b.transpose(`${name}/turned`, b.split(`${name}/heads`, b.dense(name, x, MATRICES[name])), order);
    const made = project('query', [0, 2, 1, 3]);
    const angle = () => b.op('angle', 'Cos', [b.transpose('angle/turned', b.split('angle/heads', x), [0, 2, 1, 3])]);
    const query = variant === 'miss' ? b.op('rotated', 'Mul', [made, angle()]) : made;
    const root = rootScale(b, query);
    const left = b.op('sdpa/Mul', 'Mul', [query, root]);
    const right = b.op('sdpa/Mul_1', 'Mul', [project('key', [0, 2, 3, 1]), root]);
    const softmax = b.softmax('sdpa/Softmax', b.product('sdpa/MatMul', left, right));
    const sum = b.product('sdpa/MatMul_1', softmax, project('value', [0, 2, 1, 3]));
    return b.finish(b.reshape('merged', b.transpose('together', sum, [0, 2, 1, 3]), [-1, tokens, channels]));
  },
};

export const transposedWeights: Spelling = {
  name: 'linear-out-in',
  about: 'PyTorch weights kept [out, in] with the transpose flag, casts around the softmax, scale by division',
  kind: 'self',
  hiddenForm: 'flat',
  outputForm: 'flat',
  miss: {
    about: 'the queries are a sum of two projections: a LoRA that is not fused',
    reached: 'values',
    reason: /the queries are a sum of tensors/,
    node: 'query/lora/add',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.reshape('flat', b.sample(), [-1, channels]);
    const linear = (name: Name, scope: string = name) =>
      b.matmul(
        `${scope}/MatMul`,
        x,
        b.weight(`${scope}/weight`, [channels, channels], transposed(MATRICES[name], channels)),
        true,
      );
    const turn = (name: Name, made: Endpoint) =>
      b.transpose(`${name}/turned`, b.split(`${name}/heads`, made), [0, 2, 1, 3]);
    const lora = () => b.op('query/lora/add', 'AddV2', [linear('query'), linear('key', 'query/lora')]);
    const query = turn('query', variant === 'miss' ? lora() : linear('query'));
    const logits = b.product('logits', query, turn('key', linear('key')), 'y');
    const divided = b.op('divided', 'RealDiv', [logits, b.float(1 / SCALE)]);
    const cast = (name: string, from: Endpoint) =>
      b.op(name, 'Cast', [from], { SrcT: attr.type('float32'), DstT: attr.type('float32') });
    const softmax = cast('to_half', b.softmax('softmax', cast('to_float', divided)));
    const sum = b.product('sum', softmax, turn('value', linear('value')));
    const merged = b.reshape('merged', b.transpose('together', sum, [0, 2, 1, 3]), [-1, channels]);
    const out = b.weight('to_out/weight', [channels, channels], transposed(MATRICES.out, channels));
    b.op('out', 'Identity', [b.matmul('to_out/MatMul', merged, out, true)]);
    return b.built();
  },
};

/** [B, N, C] -> [heads * B, N, dim]: the heads before the batch, as tf.concat(tf.split(...)) has it. */
function foldHeadsFirst(b: SpellingBuilder, name: string, x: Endpoint, variant: Variant | undefined): Endpoint {
  if (variant === 'miss' && name === 'value') return foldHeads(b, name, x);
  const turned = b.transpose(`${name}/turned`, b.split(`${name}/heads`, x), [2, 0, 1, 3]);
  return b.reshape(`${name}/folded`, turned, [-1, tokens, headDim]);
}

export const headsFirst: Spelling = {
  name: 'heads-before-batch',
  about: 'heads folded before the batch, and projections that are batched products of rank 3 by rank 2',
  kind: 'self',
  hiddenForm: 'tokens',
  outputForm: 'tokens',
  miss: {
    about: 'the values are folded the other way round, so that they meet the wrong heads',
    reached: 'values',
    reason: /not of the same heads or items of the batch/,
    node: 'sum',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.tokens(b.sample());
    const project = (name: Name) => {
      const weight = b.weight(`${name}/kernel`, [channels, channels], MATRICES[name]);
      return foldHeadsFirst(b, name, b.product(`${name}/MatMul`, x, weight), variant);
    };
    const query = b.op('scaled', 'Mul', [project('query'), b.float(SCALE)]);
    const softmax = b.softmax('softmax', b.product('logits', query, project('key'), 'y'));
    const sum = b.product('sum', softmax, project('value'));
    const batch = b.op('batch', 'StridedSlice', [shapeOf(b, 'sample'), b.ints([0]), b.ints([1]), b.ints([1])], {
      shrink_axis_mask: attr.int(1),
    });
    const target = b.op('target', 'Pack', [b.ints([heads], []), batch, b.ints([tokens], []), b.ints([headDim], [])], {
      axis: attr.int(0),
      N: attr.int(4),
    });
    const apart = b.op('apart', 'Reshape', [sum, target]);
    return b.finish(b.reshape('merged', b.transpose('together', apart, [1, 2, 0, 3]), [-1, tokens, channels]));
  },
};

function shapeOf(b: SpellingBuilder, name: string): Endpoint {
  return b.op(`${name}/Shape`, 'Shape', [endpoint(name)], { out_type: attr.type('int32') });
}
