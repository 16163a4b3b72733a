import { readdir, realpath, stat, writeFile } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { SlothfulError } from '../errors.ts';
import type { Graph } from '../graph/index.ts';
import { atomicDirectory } from './atomic.ts';
import type { ModelFile } from './model-file.ts';
import { PIPELINE_FILE } from './pipeline-manifest.ts';
import { share, type WriteModelOptions, type WrittenModel, writeModel } from './write-model.ts';

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
  const { unet = '', ...others } = manifest.parts;
  await refuseOver(pipeline, outDir);
  const copy = options.copy === true;
  return atomicDirectory(outDir, options, async (folder) => {
    const written = await writeModel(graph, join(folder, unet), { copy, shardsFrom: source });
    for (const part of Object.values(others)) {
      for (const file of part === undefined ? [] : await filesIn(join(pipeline, part))) {
        await share(join(pipeline, part), join(folder, part), file.split(sep), copy);
      }
    }
    const json = `${JSON.stringify(manifest, null, 2)}\n`;
    await writeFile(join(folder, PIPELINE_FILE), json);
    return { ...written, folder: resolve(outDir), newBytes: written.newBytes + Buffer.byteLength(json) };
  });
}

/** The files of a folder and of those in it, by their paths from there. */
async function filesIn(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const name of await readdir(folder, { recursive: true })) {
    if ((await stat(join(folder, name))).isFile()) files.push(name);
  }
  return files;
}

async function refuseOver(pipeline: string, outDir: string): Promise<void> {
  const source = await realpath(pipeline);
  const target = await realpath(outDir).catch(() => resolve(outDir));
  if (source !== target && !source.startsWith(`${target}${sep}`)) return;
  throw new SlothfulError('exists', outDir, 'holds the model that is read', 'give another folder to write to');
}
