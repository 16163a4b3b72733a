import type { ModelStore, PipelineStore } from './model-store.ts';
import { PIPELINE_FILE, type PipelineManifest, type PipelinePart, parsePipelineManifest } from './pipeline-manifest.ts';
import { unetOf } from './pipeline-store.ts';
import type { UrlRequest } from './url-request.ts';
import { jsonUrl, UrlStore, UrlText, urlBeside } from './url-store.ts';

/**
 * Finds a model behind a URL: of a model.json, of a folder that has one, of a `slothful.json`, or of the folder of a whole
 * pipeline, whose UNet it is then. Works in browsers and in Node.
 *
 * @param requestInit headers, credentials, a signal, limits and the like for every request
 * @throws SlothfulError `bad-input` where it is not an http(s) URL, `io`, `bad-model`
 */
export async function openUrl(address: string | URL, requestInit: UrlRequest = {}): Promise<ModelStore> {
  const source = String(address);
  const model = new UrlStore(source, requestInit);
  const manifest = jsonUrl(source, PIPELINE_FILE);
  const isNamed = manifest.pathname.endsWith(`/${PIPELINE_FILE}`);
  if (!isNamed || (manifest.href !== model.place && (await model.isThere()))) return model;
  const document = new UrlText(manifest, requestInit);
  const json = await document.read();
  // Where there is neither, it is the model.json that is missed.
  if (json === undefined) return manifest.href === model.place ? document.missing() : model;
  return unetOf(new UrlPipeline(manifest, parsePipelineManifest(json, manifest.href), requestInit));
}

/** A pipeline behind a URL. */
class UrlPipeline implements PipelineStore {
  readonly folder = undefined;

  constructor(
    private readonly url: URL,
    readonly manifest: PipelineManifest,
    private readonly requestInit: UrlRequest,
  ) {}

  get place(): string {
    return new URL('.', this.url).href.replace(/\/$/, '');
  }

  part(name: PipelinePart): ModelStore | undefined {
    const part = this.manifest.parts[name];
    return part === undefined ? undefined : new UrlStore(this.urlOf(part, 'model.json').href, this.requestInit, this);
  }

  async text(name: PipelinePart, file: string): Promise<string | undefined> {
    const part = this.manifest.parts[name];
    return part === undefined ? undefined : new UrlText(this.urlOf(part, file), this.requestInit).read();
  }

  private urlOf(part: string, file: string): URL {
    return urlBeside(this.url, [part, file]);
  }
}
