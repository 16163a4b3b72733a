import { SlothfulError } from '../errors.ts';
import { type ByteSource, type ModelStore, type PipelineStore, shardPathParts } from './model-store.ts';
import { request, type UrlAnswer, type UrlRequest } from './url-request.ts';

/** Whether a text is an http(s) URL rather than a path. */
export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/** A model behind a URL; works in browsers and in Node. */
export class UrlStore implements ModelStore {
  readonly folder = undefined;
  readonly place: string;
  private readonly url: URL;
  private readonly document: UrlText;

  /**
   * @param source URL of a model.json, or of the folder that has one; a query string is used for the shards too
   * @param requestInit headers, credentials, a signal and the like for every request
   * @param pipeline that it is a part of
   * @throws SlothfulError `bad-input` where it is not an http(s) URL
   */
  constructor(
    source: string,
    private readonly requestInit: UrlRequest = {},
    readonly pipeline?: PipelineStore,
  ) {
    this.url = jsonUrl(source, 'model.json');
    this.place = this.url.href;
    this.document = new UrlText(this.url, requestInit);
  }

  async text(): Promise<string> {
    return (await this.document.read()) ?? this.document.missing();
  }

  /** Whether the server has the model.json. @throws SlothfulError `io` */
  async isThere(): Promise<boolean> {
    return (await this.document.read()) !== undefined;
  }

  open(shardPath: string): ByteSource {
    const url = urlBeside(this.url, shardPathParts(shardPath, this.place));
    return new UrlSource(url.href, this.requestInit);
  }
}

/** How servers say that a file is not there; some that keep what they have to themselves say that it is forbidden. */
const ABSENT: readonly number[] = [403, 404, 410];

/** A text behind a URL, which is fetched once. */
export class UrlText {
  private fetched: Promise<string | undefined> | undefined;
  private status = 404;

  constructor(
    private readonly url: URL,
    private readonly requestInit: UrlRequest,
  ) {}

  /** Undefined where the server has it not. @throws SlothfulError `io` where it answers otherwise */
  read(): Promise<string | undefined> {
    this.fetched ??= this.fetch();
    return this.fetched;
  }

  /** @throws SlothfulError `io`, always */
  missing(): never {
    throw new SlothfulError('io', this.url.href, `the server answered HTTP ${this.status}`, 'check the address');
  }

  private async fetch(): Promise<string | undefined> {
    const answer = await request(this.url.href, this.requestInit);
    this.status = answer.status;
    if (answer.ok) return answer.text(this.requestInit.documentBytes);
    await answer.cancel();
    return ABSENT.includes(answer.status) ? undefined : this.missing();
  }
}

/** The URL of a JSON file, which is named by it or by its folder's. @throws SlothfulError `bad-input` */
export function jsonUrl(source: string, file: string): URL {
  if (!isUrl(source) || !URL.canParse(source)) {
    throw new SlothfulError('bad-input', source, 'is not an http(s) address', `give the address of a ${file}`);
  }
  const url = new URL(source);
  if (!url.pathname.endsWith('.json')) url.pathname = `${url.pathname.replace(/\/$/, '')}/${file}`;
  url.hash = '';
  return url;
}

/** The URL of a file by its path from another's folder, with the other's query string. */
export function urlBeside(url: URL, parts: readonly string[]): URL {
  const beside = new URL(parts.map(encodeURIComponent).join('/'), url);
  beside.search = url.search;
  return beside;
}

/** Gaps up to this many bytes are read and dropped rather than asked for anew. */
const SHORT_GAP = 1 << 20;

interface Stream {
  readonly answer: UrlAnswer;
  /** Offset in the file of the first byte that was not handed out yet. */
  position: number;
  /** Bytes that arrived and were not handed out yet. */
  rest: Uint8Array;
}

/**
 * A file behind an http(s) URL. Reads in ascending order share one response, whose body is pulled only as fast as it
 * is read; another place of the file is asked for with a Range header. A server that ignores Range answers with the
 * whole file, which is then read through to the place: correct, only slower.
 */
export class UrlSource implements ByteSource {
  private stream: Stream | undefined;
  private knownSize: number | undefined;

  /** @param requestInit headers, credentials, a signal and the like for every request */
  constructor(
    readonly place: string,
    private readonly requestInit: UrlRequest = {},
  ) {}

  async read(offset: number, target: Uint8Array): Promise<number> {
    if (this.knownSize !== undefined && offset >= this.knownSize) return 0;
    const stream = await this.streamAt(offset);
    if (!stream || !(await this.skipTo(stream, offset))) return 0;
    let filled = 0;
    while (filled < target.length && (await this.fill(stream))) {
      const part = stream.rest.subarray(0, target.length - filled);
      target.set(part, filled);
      filled += part.length;
      take(stream, part.length);
    }
    return filled;
  }

  async size(): Promise<number> {
    if (this.knownSize === undefined) {
      const answer = await request(this.place, { ...this.requestInit, method: 'HEAD' });
      const length = Number(answer.header('content-length') ?? Number.NaN);
      if (!answer.ok || !Number.isSafeInteger(length) || answer.header('content-encoding') !== undefined) {
        const cure = 'serve the file with Content-Length, or download the model';
        throw new SlothfulError('io', this.place, `the server does not tell its size (HTTP ${answer.status})`, cure);
      }
      this.knownSize = length;
    }
    return this.knownSize;
  }

  async close(): Promise<void> {
    const stream = this.stream;
    this.stream = undefined;
    await stream?.answer.cancel();
  }

  private async streamAt(offset: number): Promise<Stream | undefined> {
    const gap = offset - (this.stream?.position ?? Number.POSITIVE_INFINITY);
    if (gap >= 0 && gap <= SHORT_GAP) return this.stream;
    await this.close();
    this.stream = await this.ask(offset);
    return this.stream;
  }

  private async ask(offset: number): Promise<Stream | undefined> {
    const headers = new Headers(this.requestInit.headers);
    if (offset > 0) headers.set('range', `bytes=${offset}-`);
    const answer = await request(this.place, { ...this.requestInit, headers });
    const [, unit, total] = /^bytes (\d+|\*)(?:-\d+)?\/(\d+)$/.exec(answer.header('content-range') ?? '') ?? [];
    if (answer.status === 416 && offset > 0) {
      await answer.cancel();
      if (total !== undefined) this.knownSize = Number(total);
      return undefined;
    }
    const start = answer.status === 206 ? Number(unit ?? offset) : 0;
    if (answer.ok && answer.hasBody && start <= offset) return { answer, position: start, rest: new Uint8Array() };
    await answer.cancel();
    throw this.refused(answer.status);
  }

  private refused(status: number): SlothfulError {
    const cure = status === 404 ? 'check the address; all files of a model lie beside its model.json' : undefined;
    return new SlothfulError('io', this.place, `the server answered HTTP ${status}`, cure);
  }

  /** Whether the stream reached `offset` before its end. */
  private async skipTo(stream: Stream, offset: number): Promise<boolean> {
    while (stream.position < offset) {
      if (!(await this.fill(stream))) return false;
      take(stream, Math.min(stream.rest.length, offset - stream.position));
    }
    return true;
  }

  /** Makes sure that bytes are waiting; false at the end of the file. */
  private async fill(stream: Stream): Promise<boolean> {
    while (stream.rest.length === 0) {
      const bytes = await stream.answer.next();
      if (!bytes) {
        this.knownSize = stream.position;
        return false;
      }
      stream.rest = bytes;
    }
    return true;
  }
}

function take(stream: Stream, count: number): void {
  stream.rest = stream.rest.subarray(count);
  stream.position += count;
}
