import { type Endpoint, endpoint } from '../../../src/graph/index.ts';
import type { Spelling } from '../spelling.ts';
import { BIASES, MATRICES, SIZE, SpellingBuilder } from '../spelling-builder.ts';

const { heads, headDim, channels, tokens } = SIZE;
const SCALE = headDim ** -0.5;

/** `td_dot` of KerasCV: heads folded into the batch around a product, and out again. */
function tdDot(b: SpellingBuilder, name: string, x: Endpoint, y: Endpoint, rows: readonly [number, number, number]) {
  const [inner, middle, outer] = rows;
  const left = b.reshape(`${name}/Reshape`, x, [-1, inner, middle]);
  const right = b.reshape(`${name}/Reshape_1`, y, [-1, middle, outer]);
  return b.reshape(`${name}/Reshape_2`, b.product(`${name}/MatMul`, left, right), [-1, heads, inner, outer]);
}

export const kerasCv: Spelling = {
  name: 'keras-cv',
  about: 'KerasCV: Tensordot projections, keys turned by Transpose, heads folded by td_dot, static token count',
  kind: 'self',
  hiddenForm: 'tokens',
  outputForm: 'tokens',
  miss: {
    about: 'the softmax is over the queries',
    reached: 'values',
    reason: /does not sum over all keys/,
    node: 'td_dot_1/MatMul',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.tokens(b.sample());
    const [q, k, v] = (['query', 'key', 'value'] as const).map((name) =>
      b.split(`${name}/heads`, b.dense(name, x, MATRICES[name])),
    );
    const query = b.transpose('transpose', q ?? x, [0, 2, 1, 3]);
    const key = b.transpose('transpose_1', k ?? x, [0, 2, 3, 1]);
    const value = b.transpose('transpose_2', v ?? x, [0, 2, 1, 3]);
    const scores = b.op('mul', 'Mul', [tdDot(b, 'td_dot', query, key, [tokens, headDim, tokens]), b.float(SCALE)]);
    const turned = variant === 'miss' ? b.transpose('turn', scores, [0, 1, 3, 2]) : scores;
    const softmax = b.softmax('Softmax', turned);
    const weights = variant === 'miss' ? b.transpose('turn_back', softmax, [0, 1, 3, 2]) : softmax;
    const sum = tdDot(b, 'td_dot_1', weights, value, [tokens, tokens, headDim]);
    return b.finish(b.reshape('merged', b.transpose('permute', sum, [0, 2, 1, 3]), [-1, tokens, channels]));
  },
};

export const kerasAttention: Spelling = {
  name: 'keras-multi-head-attention',
  about: 'Keras MultiHeadAttention: everything an Einsum, weights and biases with the heads apart, keys first',
  kind: 'self',
  hiddenForm: 'tokens',
  outputForm: 'heads',
  bias: true,
  miss: {
    about: 'values are made of another tensor than queries and keys',
    reached: 'projections',
    reason: /queries and keys are made of "tokens", values of "other_tokens"/,
    node: 'mha/value/einsum/Einsum',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.tokens(b.sample());
    const other =
      variant === 'miss'
        ? b.reshape('other_tokens', b.op('negative', 'Neg', [endpoint('sample')]), [-1, tokens, channels])
        : x;
    const project = (name: 'query' | 'key' | 'value', from: Endpoint) => {
      const kernel = b.weight(`mha/${name}/kernel`, [channels, heads, headDim], MATRICES[name]);
      const bias = b.weight(`mha/${name}/bias`, [heads, headDim], BIASES[name]);
      return b.op(`mha/${name}/add`, 'AddV2', [
        b.einsum(`mha/${name}/einsum/Einsum`, 'abc,cde->abde', from, kernel),
        bias,
      ]);
    };
    const query = b.op('mha/Mul', 'Mul', [project('query', x), b.float(SCALE)]);
    const key = project('key', x);
    const value = project('value', other);
    const softmax = b.softmax('mha/softmax/Softmax', b.einsum('mha/einsum/Einsum', 'aecd,abcd->acbe', key, query));
    const sum = b.einsum('mha/einsum_1/Einsum', 'acbe,aecd->abcd', softmax, value);
    const kernel = b.weight('mha/out/kernel', [heads, headDim, channels], MATRICES.out);
    b.op('out', 'Identity', [b.einsum('mha/out/einsum/Einsum', 'abcd,cde->abe', sum, kernel)]);
    return b.built();
  },
};

export const kerasDense: Spelling = {
  name: 'tensordot',
  about: 'Keras Dense on rank 3: reshape, product, reshape; keys turned by the adjoint flag, scale after the product',
  kind: 'self',
  hiddenForm: 'tokens',
  outputForm: 'tokens',
  bias: true,
  miss: {
    about: 'a mask is added to the logits',
    reached: 'softmax',
    reason: /mask or a bias is added to the logits/,
    node: 'masked',
  },
  build(variant) {
    const b = new SpellingBuilder();
    const x = b.tokens(b.sample());
    const project = (name: 'query' | 'key' | 'value') => {
      const bias = b.weight(`${name}/bias`, [channels], BIASES[name]);
      const made = b.op(`${name}/BiasAdd`, 'BiasAdd', [b.dense(name, x, MATRICES[name]), bias]);
      return b.transpose(`${name}/out`, b.split(`${name}/heads`, made), [0, 2, 1, 3]);
    };
    const query = project('query');
    const scaled = b.op('scaled', 'Mul', [b.float(SCALE), b.product('logits', query, project('key'), 'y')]);
    const mask = () => b.weight('mask', [tokens, tokens], new Float32Array(tokens * tokens).fill(-1));
    const masked = variant === 'miss' ? b.op('masked', 'AddV2', [scaled, mask()]) : scaled;
    const sum = b.product('sum', b.softmax('softmax', masked), project('value'));
    return b.finish(b.reshape('merged', b.transpose('together', sum, [0, 2, 1, 3]), [-1, tokens, channels]));
  },
};
