import { mkdirSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ModelFile, readModel, UrlStore } from '../../src/models/node.ts';
import { UrlSource } from '../../src/models/url-store.ts';
import { failsWith } from '../support/errors.ts';
import { serveFolder } from '../support/server.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tinyGraph, writeTiny } from '../support/tiny-model.ts';

const test = suite('models behind URLs');
const root = temporaryFolder();
const { graph, weights } = tinyGraph();
writeTiny(join(root, 'model'), graph, weights, 25);
const BIG = Uint8Array.from({ length: 5_000_000 }, (_, index) => (index * 31) % 251);
writeFileSync(join(root, 'big.bin'), BIG);

async function allWeights(file: ModelFile): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  const wanted = new Set(weights.map(({ spec }) => spec.name));
  for await (const { spec, bytes } of file.weights(wanted)) found.set(spec.name, [...bytes]);
  return found;
}

for (const range of [true, false]) {
  const kind = range ? 'with Range' : 'that ignores Range';

  test(`weights from a server ${kind}: each shard is asked for once`, async () => {
    const server = await serveFolder(root, { range });
    const file = await readModel(`${server.url}/model`);
    const found = await allWeights(file);
    for (const { spec, bytes } of weights) assert.equal(found.get(spec.name), [...bytes], spec.name);
    assert.is(server.requests.length, 1 + Math.ceil(205 / 25), server.requests.join('\n'));
    await server.close();
  });

  test(`constants from a server ${kind}`, async () => {
    const plain = temporaryFolder();
    const tiny = tinyGraph();
    const kept = tiny.weights.filter(({ spec }) => spec.dtype !== 'string');
    writeTiny(plain, tiny.graph, kept, 25);
    const server = await serveFolder(plain, { range });
    const file = await readModel(`${server.url}/model.json`);
    await file.loadConstants();
    assert.equal(file.graph.constant('i_pixel')?.values, [-1, 1, 1, 1]);
    assert.equal(file.graph.constant('one')?.values, [1]);
    await server.close();
  });

  for (const head of [true, false]) {
    test(`any place of a file from a server ${kind}, ${head ? 'with' : 'without'} HEAD`, async () => {
      const server = await serveFolder(root, { range, head });
      const source = new UrlSource(`${server.url}/big.bin`);
      for (const [offset, length] of [
        [4_000_000, 100],
        [10, 5],
        [2_000_000, 1_500_000],
        [3_500_100, 3],
        [4_999_990, 50],
      ]) {
        const target = new Uint8Array(length ?? 0);
        const count = await source.read(offset ?? 0, target);
        const expected = BIG.subarray(offset, (offset ?? 0) + (length ?? 0));
        assert.is(count, expected.length, `read at ${offset}`);
        assert.ok(Buffer.compare(target.subarray(0, count), expected) === 0, `bytes at ${offset}`);
      }
      assert.is(await source.read(9_000_000, new Uint8Array(4)), 0, 'past the end');
      assert.is(await source.size(), BIG.length);
      await source.close();
      await server.close();
    });
  }
}

test('a query string goes to the shards too', async () => {
  const server = await serveFolder(root, { range: true });
  await allWeights(await readModel(`${server.url}/model/model.json?token=a%20b`));
  assert.ok(
    server.requests.every((request) => request.endsWith('?token=a%20b')),
    server.requests.join('\n'),
  );
  await server.close();
});

test('headers of the caller go with every request', async () => {
  const server = await serveFolder(root, { range: true });
  const store = new UrlStore(`${server.url}/model`, { headers: { range: 'bytes=0-' } });
  assert.is((await ModelFile.open(store)).graph.size, graph.size);
  assert.ok(server.requests[0]?.endsWith('bytes=0-'));
  await server.close();
});

test('errors name the address', async () => {
  const broken = temporaryFolder();
  mkdirSync(join(broken, 'model'));
  writeTiny(join(broken, 'model'), graph, weights, 1000);
  const server = await serveFolder(broken, { range: true });
  await failsWith('io', /nowhere\/model\.json: the server answered HTTP 404/, () => readModel(`${server.url}/nowhere`));
  const file = await readModel(`${server.url}/model`);
  truncateSync(join(broken, 'model/shards/group1-shard1.bin'), 30);
  await failsWith('bad-model', /group1-shard1\.bin: is too short: it has 30 bytes/, () => allWeights(file));
  unlinkSync(join(broken, 'model/shards/group1-shard1.bin'));
  await failsWith('io', /group1-shard1\.bin: the server answered HTTP 404; check/, () => allWeights(file));
  await server.close();
  await failsWith('io', /cannot be fetched \(.+\); check/, () => readModel(`${server.url}/model`));
  await failsWith('bad-input', /is not an http\(s\) address/, () => new UrlStore('ftp://x/model.json'));
});

test.run();
