import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface TestServer {
  readonly url: string;
  /** Every request: method, path with query, Range. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** Serves a folder on this machine, with Range requests or, like some servers, ignoring them. */
export async function serveFolder(folder: string, options: { range: boolean; head?: boolean }): Promise<TestServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { range } = request.headers;
    requests.push([request.method, request.url, ...(range ? [range] : [])].join(' '));
    const path = join(folder, decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname));
    if (options.head === false && request.method === 'HEAD') return response.writeHead(405).end();
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return response.writeHead(404).end('no');
    const bytes = readFileSync(path);
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    if (!options.range || start === 0) return response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    if (start >= bytes.length) return response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    const contentRange = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
    return response.writeHead(206, { 'content-range': contentRange }).end(bytes.subarray(start));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
