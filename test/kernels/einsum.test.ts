import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { einsumOf, registerComposedKernels } from '../../src/kernels/index.ts';
import { TEST_BACKENDS, useBackend } from '../support/backend.ts';
import { failsWith } from '../support/errors.ts';
import { largestDifference, pseudoRandom } from '../support/numbers.ts';

const test = suite('Einsum made of other kernels');

const SIZES: Readonly<Record<string, number>> = { b: 2, h: 3, q: 5, k: 4, d: 6, i: 2, j: 3, c: 7 };

/** Of attentions and of what exporters write for products; the last ones are all that is odd. */
const EQUATIONS = [
  'bhqd,bhkd->bhqk',
  'bhqk,bhkd->bhqd',
  'bqhd,bkhd->bhqk',
  'bhqk,bkhd->bqhd',
  'bqc,cd->bqd',
  'b i d, b j d -> b i j',
  'qc,ch->hq',
  'qd,kd->dqk',
  'i,j->ij',
  'i,i->',
  'bqd->dbq',
  'bqd->q',
  'bhq,kd->bdq',
];

function operandsOf(equation: string): tf.Tensor[] {
  const [inputs = ''] = equation.replaceAll(' ', '').split('->');
  return inputs.split(',').map((labels, index) => {
    const shape = [...labels].map((label) => SIZES[label] ?? 0);
    return tf.tensor(pseudoRandom(tf.util.sizeFromShape(shape), 7 + index), shape);
  });
}

/** Every combination of the labels, one after another: the definition. */
function byDefinition(equation: string, operands: readonly tf.Tensor[]): number[] {
  const [inputs = '', output = ''] = equation.replaceAll(' ', '').split('->');
  const terms = inputs.split(',');
  const labels = [...new Set(inputs.replaceAll(',', ''))];
  const offset = (term: string, at: Readonly<Record<string, number>>) =>
    [...term].reduce((sum, label) => sum * (SIZES[label] ?? 0) + (at[label] ?? 0), 0);
  const values = operands.map((operand) => operand.dataSync());
  const result = new Array<number>([...output].reduce((size, label) => size * (SIZES[label] ?? 0), 1)).fill(0);
  const count = labels.reduce((size, label) => size * (SIZES[label] ?? 0), 1);
  for (let combination = 0; combination < count; combination++) {
    let rest = combination;
    const at: Record<string, number> = {};
    for (const label of labels) {
      at[label] = rest % (SIZES[label] ?? 1);
      rest = Math.floor(rest / (SIZES[label] ?? 1));
    }
    const factor = terms.reduce((all, term, index) => all * (values[index]?.[offset(term, at)] ?? 0), 1);
    const place = offset(output, at);
    result[place] = (result[place] ?? 0) + factor;
  }
  return result;
}

for (const backend of TEST_BACKENDS) {
  for (const equation of EQUATIONS) {
    test(`${equation} on ${backend} is what the definition gives`, async () => {
      await useBackend(backend);
      const operands = operandsOf(equation);
      const before = tf.memory().numTensors;
      const result = einsumOf(equation, operands);
      assert.is(tf.memory().numTensors, before + 1, 'tensors were left behind');
      assert.ok(largestDifference(result.dataSync(), byDefinition(equation, operands)) < 1e-5);
      tf.dispose([result, ...operands]);
    });
  }
}

test("TF.js's own op works on wasm with the kernel that is registered, and cpu keeps its own", async () => {
  await useBackend('cpu');
  const own = tf.getKernel('Einsum', 'cpu');
  registerComposedKernels();
  assert.is(tf.getKernel('Einsum', 'cpu'), own);
  await useBackend('wasm');
  registerComposedKernels();
  registerComposedKernels();
  for (const equation of EQUATIONS) {
    const operands = operandsOf(equation);
    const result = tf.einsum(equation, ...operands);
    assert.ok(largestDifference(result.dataSync(), byDefinition(equation, operands)) < 1e-5, equation);
    tf.dispose([result, ...operands]);
  }
});

test('what does not fit is refused by name', async () => {
  await useBackend('wasm');
  const of = (equation: string, ...shapes: number[][]) =>
    failsWith('bad-graph', /^Einsum ".*": /, () =>
      einsumOf(
        equation,
        shapes.map((shape) => tf.zeros(shape)),
      ),
    );
  await of('ij,jk->ik', [2, 3], [4, 5]);
  await of('ij,jk->ik', [2, 3, 1], [3, 5]);
  await of('ij,jk->iz', [2, 3], [3, 5]);
  await of('ij,jk->ii', [2, 3], [3, 5]);
  await of('ii->i', [2, 2]);
  await of('ij', [2, 3]);
  await of('...ij,...jk->...ik', [2, 3], [3, 5]);
  await failsWith('unsupported', /Einsum: of int32/, () => einsumOf('i->', [tf.zeros([2], 'int32')]));
});

for (const backend of TEST_BACKENDS) {
  test(`${backend}: products of no samples have none`, async () => {
    await useBackend(backend);
    const [a, b] = [tf.zeros([0, 3, 4]), tf.zeros([0, 4, 5])];
    const out = einsumOf('bij,bjk->bik', [a, b]);
    assert.equal(out.shape, [0, 3, 5]);
    tf.dispose([a, b, out]);
  });
}

test.run();
