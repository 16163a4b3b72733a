import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { passesDocument } from '../../scripts/passes/document.ts';
import { type Pair, tryPairs } from '../../scripts/passes/pairs.ts';
import { readModel, type UNet } from '../../src/node.ts';
import { makePass, type PassChanges, passDefinitions } from '../../src/passes/index.ts';
import { RunMemory } from '../../src/runtime/index.ts';
import { largestDifference, pseudoRandom } from '../support/numbers.ts';
import { passGoldens } from '../support/pass-goldens.ts';

const test = suite('every two passes');

const { at, convert, withModel } = passGoldens('pag');
const PASSES = passDefinitions();

/** Parameters with which a pass shows on a model and a picture as small as these; the others show with their defaults. */
const SHOWING: PassChanges = {
  slothful: { in_strength: 12, out_strength: 12 },
  // What the first has pooled is no grid.
  'slothful-second': { in_strength: 12, out_strength: 12, in_mode: '1D_AVG', out_mode: '1D_AVG', in_k_blend: 1 },
};
const [HEIGHT, WIDTH] = [16, 12];
const STEPS = [801, 601, 401] as const;

let pairs: readonly Pair[] = [];

test.before(async () => {
  await convert();
  pairs = await tryPairs((await readModel(at('sd15'))).graph, PASSES);
});

test('the table in the documentation is what becomes of them', () => {
  const written = readFileSync(new URL('../../docs/passes.md', import.meta.url), 'utf8');
  assert.is(written, passesDocument(PASSES, pairs), 'npm run passes writes it anew');
});

/** The answers of three evaluations of a run, one after the other. */
function answers(unet: UNet): Float32Array {
  const names = Object.keys(unet.passes);
  const passes = Object.fromEntries(names.flatMap((name) => (SHOWING[name] ? [[name, SHOWING[name]] as const] : [])));
  const parts = ['uncond', 'cond', 'perturbed'] as const;
  const memory = new RunMemory();
  try {
    const found = STEPS.map((timestep, stepIndex) =>
      tf.tidy(() => {
        const inputs = unet.inputs.flatMap(({ name, role, shape = [] }) => {
          if (role === 'timestep' || name.startsWith('down_block')) return [];
          const size = shape.map((dim, axis) => (dim > 0 ? dim : ([3, ...openSizes(name)][axis] ?? 1)));
          const values = pseudoRandom(
            size.reduce((product, dim) => product * dim, 1),
            name.length,
          );
          return [[name, tf.tensor(values, size)] as const];
        });
        const { sample, ...others } = Object.fromEntries(inputs);
        assert.ok(sample);
        const options = { passes, parts, memory, stepIndex, steps: STEPS.length, seed: 3 };
        const { out_sample } = unet.predict({ ...others, sample, timestep }, options);
        return out_sample.dataSync();
      }),
    );
    return Float32Array.from(found.flatMap((answer) => [...answer]));
  } finally {
    memory.dispose();
  }
}

/** Of what the model leaves open: of the latent, of the text, of the residuals of a ControlNet. */
function openSizes(name: string): number[] {
  if (name === 'encoder_hidden_states') return [7];
  if (name === 'mid_block_res') return [HEIGHT / 8, Math.ceil(WIDTH / 8)];
  return [HEIGHT, WIDTH];
}

const alone = new Map<string, Float32Array>();

async function answersOf(...names: readonly string[]): Promise<Float32Array> {
  const passes = PASSES.filter(({ name }) => names.includes(name)).map((definition) => makePass(definition));
  return withModel('sd15', { passes }, (unet) => {
    const before = tf.memory().numTensors;
    const answer = answers(unet);
    assert.is(tf.memory().numTensors, before, `${names}: no tensor is left`);
    assert.ok(answer.every(Number.isFinite), `${names}: finite`);
    return answer;
  });
}

test('each alone changes what the model answers', async () => {
  const plain = await answersOf();
  for (const { name } of PASSES) {
    const answer = await answersOf(name);
    alone.set(name, answer);
    assert.ok(largestDifference(answer, plain) > 1e-4, name);
  }
});

test('where two go together both act; the others are refused by name', async () => {
  for (const { first, second, refusal } of pairs) {
    if (refusal !== undefined) {
      assert.ok(refusal.includes(first) || refusal.includes(second) || /both change/.test(refusal), refusal);
      continue;
    }
    const both = await answersOf(first, second);
    for (const name of [first, second]) {
      assert.ok(largestDifference(both, alone.get(name) ?? []) > 1e-5, `${first} and ${second}: only ${name} acts`);
    }
  }
});

test.run();
