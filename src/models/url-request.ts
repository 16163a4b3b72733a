import { messageOf, SlothfulError } from '../errors.ts';

/** Headers, credentials and the like for every request, a signal that ends them, and how patient they are. */
export interface UrlRequest extends RequestInit {
  /** Milliseconds for which a server may send nothing, default 60,000. */
  readonly silenceMs?: number | undefined;
  /** Most bytes of a document (a model.json, a tokenizer), default 256 MiB. Weights have the sizes that it tells. */
  readonly documentBytes?: number | undefined;
}

const SILENCE_MS = 60_000;
const DOCUMENT_BYTES = 256 * 2 ** 20;
/** A server may wait longer by a second for every so many bytes that it sent: one that drips is given up too. */
const LEAST_RATE = 1024;

/**
 * Asks a server.
 *
 * @throws SlothfulError `io` where it cannot be reached or is silent too long, `aborted`; answers that say no are answers
 */
export async function request(place: string, init: UrlRequest): Promise<UrlAnswer> {
  const { silenceMs: _, documentBytes: __, signal: ___, ...rest } = init;
  const watch = new Watch(place, init);
  const ask = (signal: AbortSignal) => fetch(place, { ...rest, signal });
  const askAgain = (signal: AbortSignal) =>
    ask(signal).catch((error: unknown) => {
      if (signal.aborted || !CLOSED.includes(codeOf(error))) throw error;
      return ask(signal);
    });
  return new UrlAnswer(await watch.over(askAgain, unreachable), watch);
}

/**
 * How Node says that the connection was closed before any answer. Servers close those that rest, and while weights are
 * computed with they rest: the next request may come upon one, and is made once more.
 */
const CLOSED: readonly unknown[] = ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'];

function codeOf(error: unknown): unknown {
  return error instanceof Error ? Reflect.get(Object(error.cause), 'code') : undefined;
}

/** A server's answer, whose body is pulled only as fast as it is read. */
export class UrlAnswer {
  private reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(
    private readonly response: Response,
    private readonly watch: Watch,
  ) {}

  get status(): number {
    return this.response.status;
  }

  get ok(): boolean {
    return this.response.ok;
  }

  get hasBody(): boolean {
    return this.response.body !== null;
  }

  header(name: string): string | undefined {
    return this.response.headers.get(name) ?? undefined;
  }

  /** The next bytes of the body; undefined at its end. @throws SlothfulError `io` where it breaks off, `aborted` */
  async next(): Promise<Uint8Array | undefined> {
    this.reader ??= this.response.body?.getReader();
    const { reader } = this;
    if (!reader) return undefined;
    const { value } = await this.watch.over(() => reader.read(), brokenOff);
    this.watch.received(value?.length ?? 0);
    return value;
  }

  /** The whole body as a text. @throws SlothfulError `io` also where it has more than `most` bytes */
  async text(most = DOCUMENT_BYTES): Promise<string> {
    const told = Number(this.header('content-length') ?? 0);
    if (told > most) throw await this.tooLarge(`${told} bytes`, most);
    const decoder = new TextDecoder();
    const parts: string[] = [];
    let count = 0;
    for (let bytes = await this.next(); bytes; bytes = await this.next()) {
      count += bytes.length;
      if (count > most) throw await this.tooLarge('more', most);
      parts.push(decoder.decode(bytes, { stream: true }));
    }
    return [...parts, decoder.decode()].join('');
  }

  /** Ends the request where it is. */
  async cancel(): Promise<void> {
    await (this.reader ?? this.response.body)?.cancel().catch(() => undefined);
  }

  private async tooLarge(got: string, most: number): Promise<SlothfulError> {
    await this.cancel();
    const problem = `has ${got}, and a document may have ${most}`;
    return new SlothfulError('io', this.watch.place, problem, 'check the address');
  }
}

/** Waits for a server, but not for ever, and not longer than the caller's signal lets it. */
class Watch {
  private readonly controller = new AbortController();
  private readonly signal: AbortSignal | undefined;
  private readonly silenceMs: number;
  private patience: number;

  constructor(
    readonly place: string,
    { signal, silenceMs = SILENCE_MS }: UrlRequest,
  ) {
    this.signal = signal ?? undefined;
    this.silenceMs = silenceMs;
    this.patience = silenceMs;
  }

  received(bytes: number): void {
    this.patience += (bytes / LEAST_RATE) * 1000;
  }

  /** @param failure what an error means that is neither a silence nor the caller's stop */
  async over<T>(
    work: (signal: AbortSignal) => Promise<T>,
    failure: (place: string, error: unknown) => SlothfulError,
  ): Promise<T> {
    const began = performance.now();
    const stop = () => this.controller.abort();
    if (this.signal?.aborted) stop();
    this.signal?.addEventListener('abort', stop);
    const timer = setTimeout(stop, Math.min(this.silenceMs, this.patience));
    try {
      return await work(this.controller.signal);
    } catch (error) {
      if (this.signal?.aborted) throw new SlothfulError('aborted', this.place, 'the download was stopped');
      throw this.controller.signal.aborted ? this.tooSlow(performance.now() - began) : failure(this.place, error);
    } finally {
      clearTimeout(timer);
      this.signal?.removeEventListener('abort', stop);
      this.patience -= performance.now() - began;
    }
  }

  private tooSlow(waited: number): SlothfulError {
    const silent = `the server has sent nothing for ${(waited / 1000).toPrecision(2)} s`;
    const drips = `the server sends less than ${LEAST_RATE} bytes a second`;
    const problem = waited > this.silenceMs / 2 ? silent : drips;
    return new SlothfulError('io', this.place, problem, 'try again, or download the model');
  }
}

/** `fetch` hides why it failed in the error's cause. */
function unreachable(place: string, error: unknown): SlothfulError {
  return new SlothfulError('io', place, `cannot be fetched (${causeOf(error)})`, 'check the address', { cause: error });
}

function brokenOff(place: string, error: unknown): SlothfulError {
  return new SlothfulError('io', place, `the download broke off: ${causeOf(error)}`, 'try again', { cause: error });
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? messageOf(error) : messageOf(cause) || String(Reflect.get(Object(cause), 'code'));
}
