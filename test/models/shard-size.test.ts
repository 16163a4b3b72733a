import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readModel } from '../../src/models/node.ts';
import { failsWith } from '../support/errors.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { floats, tinyGraph, writeTiny } from '../support/tiny-model.ts';

const test = suite('shards have the bytes that the manifest says');

const SHARD = 'shards/group1-shard1.bin';

function tinyFolder(shardBytes?: number): string {
  const folder = join(temporaryFolder(), 'model');
  const { graph, weights } = tinyGraph();
  writeTiny(folder, graph, weights, shardBytes);
  return folder;
}

/** Reads weights; their names. */
async function readWeights(folder: string, wanted = ['scale', 'note', 'one']): Promise<string[]> {
  const names: string[] = [];
  const file = await readModel(folder);
  for await (const { spec } of file.weights(new Set(wanted))) names.push(spec.name);
  return names;
}

test('bytes after the last weight are refused, with the numbers', async () => {
  const folder = tinyFolder();
  const bytes = readFileSync(join(folder, SHARD)).length;
  assert.equal(await readWeights(folder), ['scale', 'note', 'one']);
  appendFileSync(join(folder, SHARD), new Uint8Array(1000));
  const message = new RegExp(`shard1\\.bin: is too long: it has ${bytes + 1000} bytes, .* end at ${bytes}; download`);
  await failsWith('bad-model', message, () => readWeights(folder));
});

test('so they are in the last of several files, and in a file too many', async () => {
  for (const extra of ['last', 'more']) {
    const folder = tinyFolder(64);
    const json = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
    const { paths } = json.weightsManifest[0];
    if (extra === 'last') appendFileSync(join(folder, paths.at(-1)), 'x');
    else {
      writeFileSync(join(folder, 'more.bin'), 'x');
      paths.push('more.bin');
      writeFileSync(join(folder, 'model.json'), JSON.stringify(json));
    }
    await failsWith('bad-model', /is too long: the \d files up to it have \d+ bytes/, () => readWeights(folder));
  }
});

test('a last weight of no bytes tells nothing of files that were not read', async () => {
  const folder = join(temporaryFolder(), 'model');
  const { graph, weights } = tinyGraph();
  writeTiny(folder, graph, [...weights, floats('none', [0], [])], 64);
  assert.equal(await readWeights(folder, ['scale', 'none']), ['scale', 'none']);
  assert.equal(await readWeights(folder, ['scale', 'one', 'none']), ['scale', 'one', 'none']);
});

/** Shapes that a small file cannot hold, and that memory could not either. */
for (const shape of [[1e9], [1e6, 1e6], [1e15, 1e15, 1e15], [2 ** 27]]) {
  for (const dtype of ['float32', 'bool']) {
    test(`${dtype} [${shape}] is refused before memory is asked for`, async () => {
      const folder = tinyFolder();
      const json = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
      json.weightsManifest[0].weights[0] = { name: 'scale', shape, dtype };
      writeFileSync(join(folder, 'model.json'), JSON.stringify(json));
      const before = process.memoryUsage().arrayBuffers;
      await failsWith('bad-model', /is too short: it has \d+ bytes, and the weight "scale" ends at/, () =>
        readWeights(folder, ['scale']),
      );
      assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 28);
    });
  }
}

test('a text of four gigabytes is one of a few bytes', async () => {
  const folder = tinyFolder();
  const shard = readFileSync(join(folder, SHARD));
  shard.fill(0xff, 4, 8);
  writeFileSync(join(folder, SHARD), shard);
  await failsWith('bad-model', /is too short: .* the weight "note" ends at/, () => readWeights(folder));
});

test.run();
