import { spawnSync } from 'node:child_process';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BackendCandidate, chooseBackend, WEB_BACKENDS } from '../../src/runtime/backend.ts';
import { chooseBackend as chooseInNode } from '../../src/runtime/node.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('choice of a backend');

/** A backend of the name `wrong`, which starts and cannot compute. */
tf.registerBackend('wrong', () => new tf.KernelBackend());

const absent: BackendCandidate = {
  name: 'native',
  from: 'some-package',
  cure: 'run "setup"',
  load: () => Promise.reject(new Error('no library (a.b). It was not found')),
};
const unstartable: BackendCandidate = { ...absent, from: 'other-package', load: async () => 'nothing' };
const broken: BackendCandidate = { name: 'native', from: 'third-package', load: async () => 'wrong' };

test('the first that computes is taken, and the failures are told', async () => {
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const chosen = await chooseBackend({ log }, [absent, unstartable, broken, ...WEB_BACKENDS]);
  assert.is(chosen.name, 'wasm');
  assert.is(chosen.tfjsName, 'wasm');
  assert.is(tf.getBackend(), 'wasm');
  assert.equal(
    chosen.failed.map(({ from }) => from),
    ['some-package', 'other-package', 'third-package'],
  );
  assert.equal(chosen.failed[0]?.reason, 'no library (a.b). It was not found');
  assert.is(lines.length, 1);
  assert.match(
    lines[0] ?? '',
    /^backend: wasm on CPU; the first that works \(some-package: no library \(a\.b\)\. It was not found; other-package: .*; third-package: .*; run "setup"\)$/,
  );
});

test('without failures there is nothing to explain', async () => {
  assert.is((await chooseBackend()).reason, 'the first choice');
});

test('one that is asked for runs or fails', async () => {
  assert.is((await chooseBackend({ backend: 'cpu' })).tfjsName, 'cpu');
  assert.is(tf.getBackend(), 'cpu');
  const candidates = [absent, broken, ...WEB_BACKENDS];
  const asked = () => chooseBackend({ backend: 'native' }, candidates);
  await failsWith(
    'backend',
    /^backend native: does not work: some-package: no library.*; third-package: .*; run "setup", or leave the backend to/,
    asked,
  );
  assert.is(tf.getBackend(), 'cpu', 'the one before is back');
  await failsWith('backend', /does not work: there is none here/, () => chooseBackend({ backend: 'native' }));
});

test('where none works and none was set before, the reason is told and no other error', async () => {
  const source = `
    import { chooseBackend } from ${JSON.stringify(new URL('../../src/runtime/backend.ts', import.meta.url).href)};
    const absent = { name: 'native', from: 'some-package', load: () => Promise.reject(new Error('no library')) };
    await chooseBackend({ backend: 'native' }, [absent]).catch((error) => console.log(error.message));
  `;
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', source];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.is(stderr, '');
  assert.is(stdout, 'backend native: does not work: some-package: no library; leave the backend to the toolkit\n');
});

test('one that the program has set is left alone', async () => {
  await tf.setBackend('cpu');
  const chosen = await chooseBackend({ backend: 'current' }, [absent]);
  assert.is(chosen.tfjsName, 'cpu');
  assert.is(tf.getBackend(), 'cpu');
});

test('native is the first that Node tries', async () => {
  const chosen = await chooseInNode();
  if (chosen.name === 'native') assert.is(tf.getBackend(), 'tensorflow');
  else {
    assert.is(chosen.name, 'wasm');
    assert.equal(
      chosen.failed.map(({ from }) => from),
      ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'],
    );
  }
});

test('the choice leaves no tensor behind', async () => {
  const before = tf.memory().numTensors;
  for (const backend of ['wasm', 'cpu'] as const) await chooseBackend({ backend });
  assert.is(tf.memory().numTensors, before);
});

test.run();
