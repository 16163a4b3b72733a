import { createHash } from 'node:crypto';
import { copyFile, link, mkdir, realpath, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { SlothfulError } from '../errors.ts';
import type { Graph, WeightGroup } from '../graph/index.ts';
import { atomicDirectory } from './atomic.ts';
import { ioError, systemCode } from './io-error.ts';
import type { ModelFile } from './model-file.ts';
import { shardPathParts } from './model-store.ts';
import { companionFiles } from './own-files.ts';
import { isWithin, realTarget } from './real-path.ts';
import type { OutputOptions } from './replaceable.ts';

/** How `writeModel` writes a model. */
export interface WriteModelOptions extends OutputOptions {
  /** The model whose weights the graph has; needed where its manifest names any file. */
  readonly shardsFrom?: ModelFile | undefined;
  /** Copy the weights where they would be linked. */
  readonly copy?: boolean | undefined;
}

/** What was written. */
export interface WrittenModel {
  /** The folder. */
  readonly folder: string;
  /** Files of weights that the model shares (or copied), without the one for added constants. */
  readonly shards: number;
  readonly sharing: 'linked' | 'copied';
  /** Bytes of files that were not there before. */
  readonly newBytes: number;
}

/** Files that this module adds for constants; their names tell them from the weights. */
const ADDED_FILE = /^slothful-[0-9a-f]{12}(-\d+)?\.bin$/;

/**
 * Writes a model to a folder, as a whole or not at all.
 *
 * Weights are shared with `shardsFrom` by hard links: no byte is copied, each model is complete by itself, and either
 * can be moved or removed. So are the files that the metadata name. Links need one file system; on another one the write
 * is refused unless `copy` is set, since gigabytes should not be copied by surprise. Added constants go into one small
 * file more.
 *
 * @param graph stays as it is, its added constants too
 * @param outDir the folder to make; see `atomicDirectory` for what is refused
 * @throws SlothfulError `exists`, `io`, `bad-model`, `bad-input`
 */
export async function writeModel(graph: Graph, outDir: string, options: WriteModelOptions = {}): Promise<WrittenModel> {
  const sourceFolder = await checkSource(graph, outDir, options.shardsFrom);
  return atomicDirectory(outDir, options, async (folder) => {
    const stored = graph.clone();
    stored.setWeightGroups(stored.weightGroups.filter((group) => !isOrphan(stored, group)));
    const shards = new Set(stored.weightGroups.flatMap((group) => group.paths));
    for (const path of new Set([...shards, ...companionFiles(stored.metadata)])) {
      await share(sourceFolder, folder, shardPathParts(path, outDir), options.copy === true);
    }
    const addedBytes = await storeAddedConstants(stored, folder);
    const jsonBytes = await writeModelJson(stored, folder);
    const newBytes = addedBytes + jsonBytes;
    return { folder: resolve(outDir), shards: shards.size, sharing: options.copy ? 'copied' : 'linked', newBytes };
  });
}

/** Writes the model.json of a graph whose constants are all stored. Returns its bytes. */
export async function writeModelJson(graph: Graph, folder: string): Promise<number> {
  const unstored = graph.addedConstants.keys().next().value;
  if (unstored !== undefined) throw new SlothfulError('bug', `constant "${unstored}"`, 'is in no weights file yet');
  const text = JSON.stringify(graph.toJson());
  await writeFile(join(folder, 'model.json'), text);
  return Buffer.byteLength(text);
}

/** Writes the graph's added constants into one new file and appends it to the manifest. Returns its bytes. */
async function storeAddedConstants(graph: Graph, folder: string): Promise<number> {
  const weights = [...graph.addedConstants].map(([name, { shape, dtype }]) => ({ name, shape, dtype }));
  if (!weights.length) return 0;
  const content = Buffer.concat(graph.addedBytes());
  const hash = createHash('sha256').update(JSON.stringify(weights)).update(content).digest('hex').slice(0, 12);
  const path = freeName(`slothful-${hash}`, new Set(graph.weightGroups.flatMap((group) => group.paths)));
  await writeFile(join(folder, path), content, { flag: 'wx' });
  graph.setWeightGroups([...graph.weightGroups, { paths: [path], weights }]);
  return content.length;
}

function freeName(stem: string, taken: ReadonlySet<string>): string {
  let name = `${stem}.bin`;
  for (let count = 1; taken.has(name); count++) name = `${stem}-${count}.bin`;
  return name;
}

/** Constants that an earlier patch added and this one replaced; weights of the model itself always stay. */
function isOrphan(graph: Graph, { paths, weights }: WeightGroup): boolean {
  return paths.every((path) => ADDED_FILE.test(path)) && weights.every(({ name }) => !graph.node(name));
}

/** The folder that the shards are in; an output that would take it away is refused. */
async function checkSource(graph: Graph, outDir: string, source: ModelFile | undefined): Promise<string> {
  const files = [...graph.weightGroups.flatMap((group) => group.paths), ...companionFiles(graph.metadata)];
  if (!files.length) return '';
  if (!source) throw new SlothfulError('bug', outDir, 'cannot be written: where the weights lie was not told');
  if (source.store.folder === undefined) {
    throw new SlothfulError('bad-input', source.place, 'is behind a URL', 'download the model to write a patched one');
  }
  const folder = await realpath(source.store.folder).catch((error: unknown) => {
    throw ioError(error, source.place);
  });
  await refuseOver(folder, outDir);
  return folder;
}

/** @throws SlothfulError `exists` where an output would take away the folder that is read */
export async function refuseOver(folder: string, outDir: string): Promise<void> {
  if (!isWithin(await realTarget(outDir), await realTarget(folder))) return;
  throw new SlothfulError('exists', outDir, 'holds the model that is read', 'give another folder to write to');
}

/** Links a file into another folder, or copies it there. */
export async function share(from: string, to: string, parts: readonly string[], copy: boolean): Promise<void> {
  const source = join(from, ...parts);
  const target = join(to, ...parts);
  try {
    await mkdir(dirname(target), { recursive: true });
    // A link to a symbolic link would be one more symbolic link, whose relative target leads nowhere from here.
    const real = await realpath(source);
    await (copy ? copyFile(real, target) : link(real, target));
  } catch (error) {
    if (!copy && CANNOT_LINK.has(systemCode(error) ?? '')) {
      const problem = `cannot be hard-linked to where the output is (${systemCode(error)})`;
      throw new SlothfulError('io', source, problem, 'write to the same file system, or copy the weights (--copy)');
    }
    throw ioError(error, source);
  }
}

const CANNOT_LINK: ReadonlySet<string> = new Set(['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS']);
