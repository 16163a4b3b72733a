import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { loadUNet } from '../../src/node.ts';
import { readSlothfulMetadata } from '../../src/passes/slothful/index.ts';
import type { BackendName, UNet } from '../../src/runtime/index.ts';
import { largestDifference } from './numbers.ts';
import { temporaryFolder } from './temporary.ts';
import { caseInputs, type FamilyName, type UNetCase, type UNetGoldens, unetGoldens } from './unet-goldens.ts';

const TOLERANCE = 1e-4;

interface Context {
  unet: UNet;
}

/**
 * All golden evaluations of a family, on wasm or on the backend that `test/run.ts --backend` names (`npm run test:native`):
 * the patched model with each case's parameters, and with none fed for the plain cases. Outputs to 1e-4; K/V tokens of every site as the original node had them.
 */
export function goldenSuite(family: FamilyName): void {
  const backend = testedBackend();
  const goldens = unetGoldens(family);
  const context: Partial<Context> = {};
  const test = suite(`${family} goldens on ${backend}`);
  test.before(async () => {
    const model = join(temporaryFolder(), family);
    await convertCheckpoint(goldens.diffusers, model);
    context.unet = await loadUNet(model, { backend, slothful: true });
  });
  test.after(() => context.unet?.dispose());
  for (const each of [...goldens.regular, ...goldens.odd]) {
    test(each.out, () => {
      assert.ok(context.unet, 'the model is loaded');
      checkCase(context.unet, goldens, each, family);
    });
  }
  test.run();
}

export function testedBackend(): BackendName {
  const named = process.env.SLOTHFUL_BACKEND ?? 'wasm';
  if (named === 'native' || named === 'wasm' || named === 'cpu') return named;
  throw new Error(`SLOTHFUL_BACKEND is native, wasm or cpu, got ${named}`);
}

function checkCase(unet: UNet, goldens: UNetGoldens, each: UNetCase, family: FamilyName): void {
  const before = tf.memory().numTensors;
  const inputs = caseInputs(goldens, each, family);
  const { out_sample, sites } = unet.predict(inputs, {
    layout: 'nchw',
    ...(each.params ? { parameters: each.params } : { slothful: false }),
  });
  const expected = goldens.tensor(each.out);
  assert.equal(out_sample.shape, expected.shape);
  const difference = largestDifference(out_sample.dataSync(), expected.data);
  assert.ok(difference <= TOLERANCE, `differs by ${difference}`);
  if (each.kv_tokens) assert.equal(tokensByName(unet, sites), { ...each.kv_tokens });
  tf.dispose([out_sample, ...Object.values(inputs).filter((value) => value instanceof tf.Tensor)]);
  assert.is(tf.memory().numTensors, before, 'no tensor is left');
}

/** What ran, by the names that diffusers gives the attentions. */
function tokensByName(
  unet: UNet,
  ran: ReadonlyArray<{ tokens: number; kvTokens: number }>,
): Record<string, readonly [number, number]> {
  const record = readSlothfulMetadata(unet.metadata);
  const entries = (record?.sites ?? []).map((site, row) => {
    const counts: readonly [number, number] = [ran[row]?.tokens ?? 0, ran[row]?.kvTokens ?? 0];
    return [site.scope.replaceAll('/', '.'), counts] as const;
  });
  return Object.fromEntries(entries);
}

/**
 * Whole runs, which take many predictions each: all of them on wasm; elsewhere, where the single predictions are all held too,
 * every third, or all with `--all`.
 */
export function wholeRuns<T>(runs: readonly T[]): readonly T[] {
  const takesAll = testedBackend() === 'wasm' || process.env.SLOTHFUL_ALL;
  return takesAll ? runs : runs.filter((_, index) => index % 3 === 0);
}
