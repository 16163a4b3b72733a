import { FileStore } from './file-store.ts';
import { ModelFile } from './model-file.ts';
import type { ModelStore } from './model-store.ts';
import { isUrl, UrlStore } from './url-store.ts';

/**
 * Finds a model by what a user writes: a folder with a model.json, the model.json itself, or the URL of either.
 *
 * @throws SlothfulError `io` where nothing is there
 */
export async function openStore(source: string): Promise<ModelStore> {
  return isUrl(source) ? new UrlStore(source) : FileStore.at(source);
}

/**
 * Reads the document of a model; its weights are read later, when they are needed.
 *
 * @param source a folder with a model.json, the model.json itself, or the URL of either
 * @throws SlothfulError `io` (not found), `bad-model` (not JSON, no graph model), `bad-graph`
 */
export async function readModel(source: string): Promise<ModelFile> {
  return ModelFile.open(await openStore(source));
}
