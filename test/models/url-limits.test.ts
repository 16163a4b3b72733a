import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { SlothfulError } from '../../src/errors.ts';
import { ModelFile, openUrl, type UrlRequest } from '../../src/models/index.ts';
import { UrlSource } from '../../src/models/url-store.ts';
import { loadModel } from '../../src/runtime/node.ts';
import { failsWith } from '../support/errors.ts';
import { serveFolder } from '../support/server.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tinyGraph, writeTiny } from '../support/tiny-model.ts';

const test = suite('servers that do not end, and users who do not wait');

/** Asks a server for a model; how many connections are still open after. */
async function ask(answer: RequestListener, use: (url: string) => Promise<unknown>): Promise<void> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await use(`http://127.0.0.1:${port}/m/model.json`);
  } finally {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** Writes for ever, as fast as it is read. */
const endless: RequestListener = (_, response) => {
  const chunk = Buffer.alloc(1 << 16, 0x20);
  const more = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', more);
  more();
};

const open = async (url: string, request: UrlRequest) => ModelFile.open(await openUrl(url, request));

interface Refused {
  readonly title: string;
  readonly answer: RequestListener;
  readonly request: UrlRequest;
  readonly code: SlothfulError['code'];
  readonly message: RegExp;
}

const PLACE = 'http://127\\.0\\.0\\.1:\\d+/m/model\\.json';

const REFUSED: readonly Refused[] = [
  {
    title: 'a body without end',
    answer: endless,
    request: { documentBytes: 1 << 20 },
    code: 'io',
    message: new RegExp(`^${PLACE}: has more, and a document may have 1048576; check`),
  },
  {
    title: 'a body that is said to be too large',
    answer: (_, response) => response.writeHead(200, { 'content-length': 2 ** 40 }).write('{'),
    request: {},
    code: 'io',
    message: new RegExp(`^${PLACE}: has 1099511627776 bytes, and a document may have 268435456; check`),
  },
  {
    title: 'a server that does not answer',
    answer: () => undefined,
    request: { silenceMs: 150 },
    code: 'io',
    message: new RegExp(`^${PLACE}: the server has sent nothing for 0\\.1\\d s; try again`),
  },
  {
    title: 'a body that stalls',
    answer: (_, response) => void response.write('{"format":'),
    request: { silenceMs: 150 },
    code: 'io',
    message: new RegExp(`^${PLACE}: the server has sent nothing for 0\\.1\\d* s; try again`),
  },
  {
    title: 'a body that drips',
    answer: (_, response) => {
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    },
    request: { silenceMs: 1000 },
    code: 'io',
    message: new RegExp(`^${PLACE}: the server sends less than 1024 bytes a second; try again`),
  },
  {
    title: 'a body that is cut off',
    answer: (_, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{"format":');
      setTimeout(() => response.destroy(), 20);
    },
    request: {},
    code: 'io',
    message: new RegExp(`^${PLACE}: the download broke off: .+; try again$`),
  },
  {
    title: 'a body that ends early and does not say so',
    answer: (_, response) => response.end('{"format":'),
    request: {},
    code: 'bad-model',
    message: new RegExp(`^${PLACE}`),
  },
];

for (const { title, answer, request, code, message } of REFUSED) {
  test(`${title} ends with one line that names the address`, () =>
    ask(answer, (url) => failsWith(code, message, () => open(url, request))));
}

test('a signal ends the wait for an answer, for a body and for a weight', async () => {
  const stopped = async (url: string, use: (request: UrlRequest) => Promise<unknown>) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 30);
    const { signal } = controller;
    await failsWith('aborted', new RegExp(`^${url}: the download was stopped$`), () => use({ signal }));
    await failsWith('aborted', /the download was stopped$/, () => use({ signal }));
  };
  await ask(
    () => undefined,
    (url) => stopped(url, (request) => open(url, request)),
  );
  await ask(
    (_, response) => void response.write('{'),
    (url) => stopped(url, (request) => open(url, request)),
  );
  await ask(
    (_, response) => void response.write('ab'),
    (url) => stopped(url, (request) => new UrlSource(url, request).read(0, new Uint8Array(4))),
  );
});

test('loading is stopped between two weights', async () => {
  const folder = temporaryFolder();
  const { graph, weights } = tinyGraph();
  writeTiny(join(folder, 'model'), graph, weights, 25);
  const server = await serveFolder(folder, { range: true });
  const controller = new AbortController();
  const seen: number[] = [];
  const onProgress = (done: number) => {
    seen.push(done);
    controller.abort();
  };
  const { signal } = controller;
  await failsWith('aborted', /model\.json: loading was stopped$/, () =>
    loadModel(`${server.url}/model`, { backend: 'cpu', signal, onProgress }),
  );
  assert.is(seen.length, 1);
  await server.close();
});

test('a connection that was closed before any answer is made once more, and not twice', async () => {
  const { graph } = tinyGraph();
  const json = JSON.stringify(graph.toJson());
  let asked = 0;
  const closing =
    (times: number): RequestListener =>
    (request, response) =>
      ++asked <= times ? request.socket.destroy() : response.end(json);
  await ask(closing(1), async (url) => assert.is((await open(url, {})).graph.size, graph.size));
  assert.is(asked, 2);
  asked = 0;
  const closed = new RegExp(`^${PLACE}: cannot be fetched \\(.+\\); check`);
  await ask(closing(9), (url) => failsWith('io', closed, () => open(url, {})));
  assert.is(asked, 2);
});

test('a slow reader is not a slow server', async () => {
  const folder = temporaryFolder();
  const { graph, weights } = tinyGraph();
  writeTiny(join(folder, 'model'), graph, weights);
  const server = await serveFolder(folder, { range: true });
  const source = new UrlSource(`${server.url}/model/shards/group1-shard1.bin`, { silenceMs: 700 });
  for (let offset = 0; offset < 30; offset += 10) {
    assert.is(await source.read(offset, new Uint8Array(10)), 10);
    await new Promise((resolve) => setTimeout(resolve, 900));
  }
  await source.close();
  await server.close();
});

test.run();
