import { SlothfulError } from '../errors.ts';
import type { ByteSource, ModelStore } from './model-store.ts';
import { shardPathParts } from './shard-path.ts';
import { UrlSource, unreachable } from './url-source.ts';

/** Whether a text is an http(s) URL rather than a path. */
export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/** A model behind a URL; works in browsers and in Node. */
export class UrlStore implements ModelStore {
  readonly folder = undefined;
  readonly place: string;
  private readonly url: URL;

  /**
   * @param source URL of a model.json, or of the folder that has one; a query string is used for the shards too
   * @param requestInit headers, credentials and the like for every request
   * @throws SlothfulError `bad-input` where it is no http(s) URL
   */
  constructor(
    source: string,
    private readonly requestInit: RequestInit = {},
  ) {
    this.url = modelUrl(source);
    this.place = this.url.href;
  }

  async text(): Promise<string> {
    const response = await fetch(this.url, this.requestInit).catch((error: unknown) => {
      throw unreachable(this.place, error);
    });
    if (response.ok) return response.text();
    await response.body?.cancel();
    throw new SlothfulError('io', this.place, `the server answered HTTP ${response.status}`, 'check the address');
  }

  open(shardPath: string): ByteSource {
    const parts = shardPathParts(shardPath, this.place);
    const url = new URL(parts.map(encodeURIComponent).join('/'), this.url);
    url.search = this.url.search;
    return new UrlSource(url.href, this.requestInit);
  }
}

function modelUrl(source: string): URL {
  if (!isUrl(source) || !URL.canParse(source)) {
    throw new SlothfulError('bad-input', source, 'is no http(s) address', 'give the address of a model.json');
  }
  const url = new URL(source);
  if (!url.pathname.endsWith('.json')) url.pathname = `${url.pathname.replace(/\/$/, '')}/model.json`;
  url.hash = '';
  return url;
}
