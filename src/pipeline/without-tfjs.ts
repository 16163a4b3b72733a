/** The parts of the pipeline that work on documents alone: what loads them does not wait for TF.js. In Node. */
import { openStore } from '../models/node.ts';
import { type OpenedDocument, openDocumentIn } from './open-model.ts';

export { type AskedExtent, type OpenedDocument, sampleSize } from './open-model.ts';
export { parametersInForce, parametersLine, passLines } from './parameters.ts';
export { type PatchedModel, type PatchOptions, patchModel } from './patch-model.ts';

/**
 * Opens the document of a model by path or URL, to look at it or to change it.
 *
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`
 */
export async function openDocument(source: string | URL): Promise<OpenedDocument> {
  return openDocumentIn(await openStore(source));
}
