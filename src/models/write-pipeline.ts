import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Graph } from '../graph/index.ts';
import { atomicDirectory } from './atomic.ts';
import type { ModelFile } from './model-file.ts';
import { pipelineFiles } from './own-files.ts';
import { PIPELINE_FILE } from './pipeline-manifest.ts';
import { kindOf } from './real-path.ts';
import { refuseOver, share, type WriteModelOptions, type WrittenModel, writeModel } from './write-model.ts';

/**
 * Writes a model as `writeModel` does. Where it was found as the UNet of a pipeline, all of that pipeline is written, as a
 * whole or not at all: the other parts are shared as weights are.
 *
 * @param source the model whose weights the graph has
 * @throws SlothfulError as `writeModel` does
 */
export async function writeModelOf(
  source: ModelFile,
  graph: Graph,
  outDir: string,
  options: Omit<WriteModelOptions, 'shardsFrom'>,
): Promise<WrittenModel> {
  const { folder: pipeline, manifest } = source.store.pipeline ?? {};
  if (pipeline === undefined || !manifest) return writeModel(graph, outDir, { ...options, shardsFrom: source });
  const { unet = '' } = manifest.parts;
  await refuseOver(pipeline, outDir);
  const copy = options.copy === true;
  // Of the pipeline too: no part of it may be taken for an earlier output.
  const inputs = [pipeline, ...(options.inputs ?? [])];
  return atomicDirectory(outDir, { ...options, inputs }, async (folder) => {
    const written = await writeModel(graph, join(folder, unet), { copy, shardsFrom: source });
    for (const file of await otherFiles(pipeline, unet)) await share(pipeline, folder, file.split('/'), copy);
    const json = `${JSON.stringify(manifest, null, 2)}\n`;
    await writeFile(join(folder, PIPELINE_FILE), json);
    return { ...written, folder: resolve(outDir), newBytes: written.newBytes + Buffer.byteLength(json) };
  });
}

/** The files of the other parts, as their manifests list them; what somebody laid beside them is not the pipeline's. */
async function otherFiles(pipeline: string, unet: string): Promise<string[]> {
  const files = [...((await pipelineFiles(pipeline)) ?? [])];
  const others = files.filter((file) => file !== PIPELINE_FILE && !file.startsWith(`${unet}/`));
  const found: string[] = [];
  for (const file of others) if ((await kindOf(join(pipeline, file))) === 'file') found.push(file);
  return found;
}
