import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject } from '../graph/index.ts';
import { hiddenName, isDeadLitter } from './hidden-names.ts';
import { shardPathParts } from './model-store.ts';
import { PIPELINE_FILE, parsePipelineManifest, TOKENIZER_FILES } from './pipeline-manifest.ts';

/** Paths from a folder, parts joined by `/`. */
export type FilePaths = ReadonlySet<string>;

/** A kind of folder that this toolkit writes, and may replace if nothing else is in it. */
export interface FolderKind {
  /** The file that lists what is in it. */
  readonly manifest: string;
  /** What it is called among its like, for messages. */
  readonly plural: string;
  /** What the folder's manifest lists, itself included; undefined where there is none that can be read. */
  files(folder: string): Promise<FilePaths | undefined>;
}

/** Models, and pipelines of them. */
export const MODEL_FOLDER: FolderKind = {
  manifest: 'model.json',
  plural: 'models',
  async files(folder) {
    const [model, pipeline] = [await modelFiles(folder), await pipelineFiles(folder)];
    return model || pipeline ? new Set([...(model ?? []), ...(pipeline ?? [])]) : undefined;
  },
};

/** The files of a model: its model.json, and what that names. */
export async function modelFiles(folder: string): Promise<FilePaths | undefined> {
  const place = join(folder, 'model.json');
  const json = await readObject(place);
  if (!json) return undefined;
  const groups = Array.isArray(json.weightsManifest) ? json.weightsManifest : [];
  const shards = groups.flatMap((group) => (isObject(group) && Array.isArray(group.paths) ? group.paths : []));
  const named = [...shards, ...companionFiles(json.userDefinedMetadata)].filter((path) => typeof path === 'string');
  try {
    return new Set(['model.json', ...named.map((path) => shardPathParts(path, place).join('/'))]);
  } catch {
    // What names files outside was not written here.
    return undefined;
  }
}

/** Files beside the weights that a model's metadata name: the text table of a small model. */
export function companionFiles(metadata: unknown): string[] {
  const text = isObject(metadata) && isObject(metadata.text) ? metadata.text : {};
  return Object.values(text).filter((path) => typeof path === 'string');
}

/** The files of a pipeline: its manifest, and those of its parts. */
export async function pipelineFiles(folder: string): Promise<FilePaths | undefined> {
  const place = join(folder, PIPELINE_FILE);
  const files = new Set([PIPELINE_FILE]);
  try {
    const { parts } = parsePipelineManifest(await readFile(place, 'utf8'), place);
    for (const [name, part] of Object.entries(parts)) {
      if (part === undefined) continue;
      const own = name.startsWith('tokenizer') ? TOKENIZER_FILES : await modelFiles(join(folder, part));
      for (const file of own ?? []) files.add(`${part}/${file}`);
    }
    return files;
  } catch {
    // A manifest that cannot be read lists nothing.
    return undefined;
  }
}

/** The JSON object in a file; undefined where there is none. */
export async function readObject(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Enough to be recognized by. */
const MOST_NAMED = 3;

/**
 * What lies in a folder and is not among the files that it may have: their paths, a few of them. Folders that none of
 * these files is in count too, and so do links: none was written here.
 */
export async function strangersIn(folder: string, files: FilePaths): Promise<string[]> {
  const found: string[] = [];
  const visit = async (inside: string): Promise<void> => {
    const entries = await readdir(join(folder, inside), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (found.length === MOST_NAMED) return;
      const path = `${inside}${entry.name}`;
      if (entry.isDirectory() && [...files].some((file) => file.startsWith(`${path}/`))) await visit(`${path}/`);
      else if (!(entry.isFile() && (files.has(path) || (await isOwnLitter(folder, path, files))))) found.push(path);
    }
  };
  await visit('');
  return found;
}

/** What a killed command left of a file that is listed. */
async function isOwnLitter(folder: string, path: string, files: FilePaths): Promise<boolean> {
  const at = path.lastIndexOf('/') + 1;
  const of = hiddenName(path.slice(at))?.of;
  return of !== undefined && files.has(`${path.slice(0, at)}${of}`) && isDeadLitter(join(folder, path));
}
