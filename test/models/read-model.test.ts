import { mkdirSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readModel } from '../../src/models/node.ts';
import { failsWith } from '../support/errors.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tinyGraph, writeTiny } from '../support/tiny-model.ts';

const test = suite('reading model files');

function tinyFolder(shardBytes?: number): string {
  const folder = join(temporaryFolder(), 'model');
  const { graph, weights } = tinyGraph();
  writeTiny(folder, graph, weights, shardBytes);
  return folder;
}

test('a folder and its model.json are the same model', async () => {
  const folder = tinyFolder();
  for (const path of [folder, join(folder, 'model.json')]) {
    const { graph, place } = await readModel(path);
    assert.is(place, join(folder, 'model.json'));
    assert.is(graph.node('scaled')?.op, 'Mul');
  }
});

for (const shardBytes of [undefined, 7, 1]) {
  test(`weights and constants in files of ${shardBytes ?? 'any number of'} bytes`, async () => {
    const file = await readModel(tinyFolder(shardBytes));
    const found = new Map<string, number[]>();
    const wanted = new Set(['scale', 'i_pixel', 'one', 'note']);
    for await (const { spec, bytes } of file.weights(wanted)) found.set(spec.name, [...bytes]);
    assert.equal([...found.keys()], ['scale', 'note', 'i_pixel', 'one'], 'in the order of the manifest');
    assert.equal(found.get('scale'), [0x00, 0x38, 0x00, 0xc0]);
    assert.equal(found.get('note'), [1, 0, 0, 0, 97, 0, 0, 0, 0], 'a text, whose length stands in the file');
    assert.equal(found.get('one'), [0, 0, 0x80, 0x3f]);
  });

  test(`constants are told to the graph, files of ${shardBytes ?? 'any number of'} bytes`, async () => {
    const folder = join(temporaryFolder(), 'model');
    const { graph, weights } = tinyGraph();
    writeTiny(
      folder,
      graph,
      weights.filter(({ spec }) => spec.dtype !== 'string'),
      shardBytes,
    );
    const file = await readModel(folder);
    assert.is(file.graph.constant('scale'), undefined);
    await file.loadConstants();
    assert.equal(file.graph.constant('scale')?.values, [0.5, -2], 'half floats are decoded');
    assert.equal(file.graph.constant('i_pixel')?.values, [-1, 1, 1, 1]);
    assert.is(file.graph.constant('unused'), undefined, 'no Const node, no constant');
  });
}

test('reading the document needs no shards', async () => {
  const folder = tinyFolder();
  unlinkSync(join(folder, 'shards/group1-shard1.bin'));
  const file = await readModel(folder);
  await failsWith('io', /shards\/group1-shard1\.bin: is not there; the weights manifest/, () => file.loadConstants());
});

test('a shard that is too short is named, with the numbers', async () => {
  const folder = tinyFolder();
  truncateSync(join(folder, 'shards/group1-shard1.bin'), 20);
  const file = await readModel(folder);
  const read = async () => {
    for await (const weight of file.weights(new Set(['one']))) assert.unreachable(weight.spec.name);
  };
  await failsWith(
    'bad-model',
    /group1-shard1\.bin: is too short: it has 20 bytes, and the weight "one" ends at 205/,
    read,
  );
});

test('a shard that is a folder, or none at all', async () => {
  const folder = tinyFolder();
  unlinkSync(join(folder, 'shards/group1-shard1.bin'));
  mkdirSync(join(folder, 'shards/group1-shard1.bin'));
  const file = await readModel(folder);
  await failsWith('io', /is not a file/, () => file.loadConstants());
});

test('what is not a model', async () => {
  const folder = temporaryFolder();
  await failsWith('io', /nowhere: is not there; give the folder/, () => readModel(join(folder, 'nowhere')));
  await failsWith('io', /has no model\.json; give the folder/, () => readModel(folder));
  writeFileSync(join(folder, 'config.json'), '{}');
  await failsWith('io', /has no model\.json; .*convert it first/, () => readModel(folder));
  writeFileSync(join(folder, 'model.json'), 'weights');
  await failsWith('bad-model', /model\.json: is not JSON/, () => readModel(folder));
  writeFileSync(join(folder, 'model.json'), '{"format":"layers-model"}');
  await failsWith('bad-model', /has the format "layers-model"/, () => readModel(folder));
});

const OUTSIDE = [
  '../secret.bin',
  'a/../../secret.bin',
  '/etc/hostname',
  'file:///etc/hostname',
  'C:\\x.bin',
  '..\\x',
  '',
];

for (const path of OUTSIDE) {
  test(`a manifest may not name ${JSON.stringify(path)}`, async () => {
    const folder = temporaryFolder();
    const { graph, weights } = tinyGraph();
    graph.setWeightGroups([{ paths: [path], weights: weights.map(({ spec }) => spec) }]);
    writeFileSync(join(folder, 'model.json'), JSON.stringify(graph.toJson()));
    const file = await readModel(folder);
    await failsWith('bad-model', /the weights manifest names/, async () => {
      for await (const weight of file.weights(new Set(['scale']))) assert.unreachable(weight.spec.name);
    });
  });
}

test('shards that are symbolic links are followed', async () => {
  const folder = tinyFolder();
  const linked = temporaryFolder();
  symlinkSync(join(folder, 'shards'), join(linked, 'shards'));
  symlinkSync(join(folder, 'model.json'), join(linked, 'model.json'));
  const file = await readModel(linked);
  const names: string[] = [];
  for await (const { spec } of file.weights(new Set(['one']))) names.push(spec.name);
  assert.equal(names, ['one']);
});

test.run();
