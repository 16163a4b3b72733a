import { attr, type Endpoint } from '../../../src/graph/index.ts';
import type { Spelling } from '../spelling.ts';
import { BIASES, CONTEXT, MATRICES, SIZE, SpellingBuilder } from '../spelling-builder.ts';

const { heads, headDim, channels, tokens, rows, columns } = SIZE;
const SCALE = headDim ** -0.5;

type Name = 'query' | 'key' | 'value';

export const fusedBias: Spelling = {
  name: 'fused-bias',
  about: 'flat tokens, projections fused with their bias (_FusedMatMul) as the TF.js converter makes them',
  kind: 'self',
  hiddenForm: 'flat',
  outputForm: 'tokens',
  bias: true,
  miss: {
    about: 'an activation is fused into the projection of the queries',
    reached: 'values',
    reason: /the queries pass a Relu/,
    node: 'query/MatMul',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.reshape('flat', b.sample(), [-1, channels]);
    const project = (name: Name) => {
      const weight = b.weight(`${name}/kernel`, [channels, channels], MATRICES[name]);
      const bias = b.weight(`${name}/bias`, [channels], BIASES[name]);
      const ops = variant === 'miss' && name === 'query' ? ['BiasAdd', 'Relu'] : ['BiasAdd'];
      const attributes = { num_args: attr.int(1), fused_ops: attr.strings(ops), epsilon: attr.float(0) };
      const made = b.op(`${name}/MatMul`, '_FusedMatMul', [x, weight, bias], attributes);
      return b.transpose(`${name}/turned`, b.split(`${name}/heads`, made), [0, 2, 1, 3]);
    };
    const logits = b.product('logits', project('query'), project('key'), 'y');
    const softmax = b.softmax('softmax', b.op('scaled', 'Mul', [logits, b.float(SCALE)]));
    const sum = b.product('sum', softmax, project('value'));
    return b.finish(b.reshape('merged', b.transpose('together', sum, [0, 2, 1, 3]), [-1, tokens, channels]));
  },
};

export const gridConvolutions: Spelling = {
  name: 'grid-convolutions',
  about: 'tokens as a rank-4 grid, projections as 1x1 convolutions, the scale folded into the weights',
  kind: 'self',
  hiddenForm: 'grid',
  outputForm: 'grid',
  scale: 1,
  miss: {
    about: 'only the pixels of a row attend to each other',
    reached: 'grid',
    reason: /6 x 5 tokens attend to each other, of a grid of 2 x 3 x 5/,
    node: 'softmax',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.op('image', 'Identity', [b.sample()]);
    const count = variant === 'miss' ? columns : tokens;
    const conv = (name: string, from: Endpoint, matrix: Float32Array) => {
      const kernel = b.weight(`${name}/kernel`, [1, 1, channels, channels], matrix);
      return b.op(`${name}/Conv2D`, 'Conv2D', [from, kernel], {
        strides: attr.ints([1, 1, 1, 1]),
        dilations: attr.ints([1, 1, 1, 1]),
        padding: attr.string('SAME'),
        data_format: attr.string('NHWC'),
      });
    };
    const project = (name: Name, factor = 1) => {
      const made = conv(
        name,
        x,
        MATRICES[name].map((weight) => weight * factor),
      );
      return b.transpose(`${name}/turned`, b.split(`${name}/heads`, made, count), [0, 2, 1, 3]);
    };
    const softmax = b.softmax('softmax', b.product('logits', project('query', SCALE), project('key'), 'y'));
    const sum = b.product('sum', softmax, project('value'));
    const merged = b.reshape('merged', b.transpose('together', sum, [0, 2, 1, 3]), [-1, rows, columns, channels]);
    b.op('out', 'Identity', [conv('to_out', merged, MATRICES.out)]);
    return b.built();
  },
};

export const ourConverter: Spelling = {
  name: 'flat-tokens',
  about: 'our own converter: flat tokens, any size, heads split by a computed shape',
  kind: 'self',
  hiddenForm: 'flat',
  outputForm: 'flat',
  miss: {
    about: 'the queries are taken from a product by a step of 3',
    reached: 'values',
    reason: /the queries are every 3rd channel of a product \(StridedSlice\)/,
    node: 'query/cut',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const sample = b.placeholder('sample', [-1, -1, -1, channels]);
    const x = b.reshape('flat', sample, [-1, channels]);
    const shape = b.op('shape', 'Shape', [sample], { out_type: attr.type('int32') });
    const batch = b.op('batch', 'StridedSlice', [shape, b.ints([0]), b.ints([1]), b.ints([1])]);
    const target = b.op('heads', 'ConcatV2', [batch, b.ints([-1, heads, headDim]), b.ints([0], [])], {
      N: attr.int(2),
    });
    const turn = (name: string, made: Endpoint) =>
      b.transpose(`${name}/out`, b.op(`${name}/heads`, 'Reshape', [made, target]), [0, 2, 1, 3]);
    const project = (name: Name) => {
      if (variant === 'miss' && name === 'query') return turn(name, everyThird(b, x));
      return turn(
        name,
        b.matmul(`${name}/MatMul`, x, b.weight(`${name}/kernel`, [channels, channels], MATRICES[name])),
      );
    };
    const query = b.op('scaled', 'Mul', [project('query'), b.float(SCALE)]);
    const softmax = b.softmax('softmax', b.product('logits', query, project('key'), 'y'));
    const sum = b.product('sum', softmax, project('value'));
    const merged = b.reshape('merged', b.transpose('together', sum, [0, 2, 1, 3]), [-1, channels]);
    b.op('out', 'Identity', [
      b.matmul('to_out/MatMul', merged, b.weight('to_out/kernel', [channels, channels], MATRICES.out)),
    ]);
    return b.built();
  },
};

/** Queries whose channels lie between those of two others. */
function everyThird(b: SpellingBuilder, x: Endpoint): Endpoint {
  const kernel = b.weight(
    'qkv/kernel',
    [channels, 3 * channels],
    Float32Array.from([...MATRICES.query, ...MATRICES.key, ...MATRICES.value]),
  );
  const made = b.matmul('qkv/MatMul', x, kernel);
  return b.op('query/cut', 'StridedSlice', [made, b.ints([0, 0]), b.ints([0, 24]), b.ints([1, 3])], {
    begin_mask: attr.int(1),
    end_mask: attr.int(1),
  });
}

export const einsumHeads: Spelling = {
  name: 'einsum',
  about: 'JAX and hand-written TensorFlow: heads stay where they are, the products are Einsums',
  kind: 'self',
  hiddenForm: 'tokens',
  outputForm: 'tokens',
  miss: {
    about: 'channels attend to channels: the product sums over the tokens',
    reached: 'scores',
    reason: /does not sum over the width of a head/,
    node: 'logits',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.tokens(b.sample());
    const project = (name: Name) => b.split(`${name}/heads`, b.dense(name, x, MATRICES[name]));
    const query = b.op('scaled', 'Mul', [project('query'), b.float(SCALE)]);
    const [score, sum] =
      variant === 'miss' ? ['bnhd,bnhe->bhde', 'bhde,bnhe->bnhd'] : ['bnhd,bmhd->bhnm', 'bhnm,bmhd->bnhd'];
    const softmax = b.softmax('softmax', b.einsum('logits', score, query, project('key')));
    const values = b.einsum('sum', sum, softmax, project('value'));
    return b.finish(b.reshape('merged', values, [-1, tokens, channels]));
  },
};

export const swappedSum: Spelling = {
  name: 'swapped-sum',
  about: 'the sum of the values turned over: values transposed times probabilities transposed',
  kind: 'self',
  hiddenForm: 'tokens',
  outputForm: 'tokens',
  miss: {
    about: 'the probabilities are scaled, as dropout leaves behind',
    reached: 'scores',
    reason: /the probabilities are scaled/,
    node: 'dropout',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.tokens(b.sample());
    const project = (name: Name) =>
      b.transpose(`${name}/turned`, b.split(`${name}/heads`, b.dense(name, x, MATRICES[name])), [0, 2, 1, 3]);
    const query = b.op('scaled', 'Mul', [project('query'), b.float(SCALE)]);
    const softmax = b.softmax('softmax', b.product('logits', query, project('key'), 'y'));
    const weights = variant === 'miss' ? b.op('dropout', 'Mul', [softmax, b.float(1.25)]) : softmax;
    const sum = b.product('sum', project('value'), weights, 'xy');
    return b.finish(b.reshape('merged', b.transpose('together', sum, [0, 3, 1, 2]), [-1, tokens, channels]));
  },
};

export const crossAttention: Spelling = {
  name: 'cross',
  about: 'a cross-attention: keys and values are made of the text',
  kind: 'cross',
  hiddenForm: 'tokens',
  outputForm: 'tokens',
  miss: {
    about: 'keys and values are made of two texts',
    reached: 'projections',
    reason: /made of three tensors: "query.*", "key.*", "value.*"/,
    node: 'value/Tensordot/MatMul',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.tokens(b.sample());
    const context = b.placeholder('context', [-1, CONTEXT.tokens, CONTEXT.channels]);
    const turn = (name: string, made: Endpoint, count: number = tokens) =>
      b.transpose(`${name}/turned`, b.split(`${name}/heads`, made, count), [0, 2, 1, 3]);
    const source = (name: string, matrix: Float32Array, from: Endpoint) =>
      turn(name, b.dense(name, from, matrix, CONTEXT.channels), CONTEXT.tokens);
    const query = b.op('scaled', 'Mul', [turn('query', b.dense('query', x, MATRICES.query)), b.float(SCALE)]);
    const softmax = b.softmax('softmax', b.product('logits', query, source('key', MATRICES.contextKey, context), 'y'));
    const second = variant === 'miss' ? b.op('second_text', 'Neg', [context]) : context;
    const sum = b.product('sum', softmax, source('value', MATRICES.contextValue, second));
    return b.finish(b.reshape('merged', b.transpose('together', sum, [0, 2, 1, 3]), [-1, tokens, channels]));
  },
};

export const channelsFirst: Spelling = {
  name: 'channels-first',
  about: 'an NCHW model in NHWC clothes: the image is turned to [B, C, h, w], flattened, and its tokens turned back',
  kind: 'self',
  hiddenForm: 'tokens',
  outputForm: 'tokens',
  miss: {
    about: 'keys and values are only some of the tokens',
    reached: 'values',
    reason: /the keys are part of another tensor \(StridedSlice\)/,
    node: 'key/some',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const turnedImage = b.transpose('image/turned', b.sample(), [0, 3, 1, 2]);
    const planes = b.reshape('image/planes', turnedImage, [-1, channels, tokens]);
    const x = b.transpose('hidden', planes, [0, 2, 1]);
    const some = (name: Name, made: Endpoint) =>
      b.op(`${name}/some`, 'StridedSlice', [made, b.ints([0, 0]), b.ints([0, 14]), b.ints([1, 2])], {
        begin_mask: attr.int(1),
        end_mask: attr.int(1),
      });
    const project = (name: Name) => {
      const made = b.dense(name, x, MATRICES[name]);
      const isPart = variant === 'miss' && name !== 'query';
      const apart = b.split(`${name}/heads`, isPart ? some(name, made) : made, isPart ? 7 : tokens);
      return b.transpose(`${name}/turned`, apart, [0, 2, 1, 3]);
    };
    const query = b.op('scaled', 'Mul', [project('query'), b.float(SCALE)]);
    const softmax = b.softmax('softmax', b.product('logits', query, project('key'), 'y'));
    const sum = b.product('sum', softmax, project('value'));
    return b.finish(b.reshape('merged', b.transpose('together', sum, [0, 2, 1, 3]), [-1, tokens, channels]));
  },
};
