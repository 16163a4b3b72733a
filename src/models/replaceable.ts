import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { SlothfulError } from '../errors.ts';
import { type FilePaths, type FolderKind, MODEL_FOLDER, strangersIn } from './own-files.ts';
import { isWithin, kindOf } from './real-path.ts';
import { isUrl } from './url-store.ts';

/** How an output that is there already is met. */
export interface OutputOptions {
  /** Replace it, once the new one is complete; only if all of it was written by this toolkit. */
  readonly force?: boolean | undefined;
  /** Files and folders that are read for it, which it may neither be nor hold. URLs are passed over. */
  readonly inputs?: readonly string[] | undefined;
}

/** An output: the path as it was said, and where it leads. */
export interface OutputPlace {
  readonly out: string;
  readonly target: string;
}

const FORCE = 'give another name, or replace it with --force';
const OTHER = 'give another name';
const MOST_TRIES = 50;

/**
 * Whether a folder may be made, or made anew: it is not there, or empty; or with `force` of a kind that is written here,
 * with nothing in it but what its own manifest lists. Nothing that is read may be in it.
 *
 * @throws SlothfulError `exists` saying why not, `io`
 */
export async function checkFolder(place: OutputPlace, options: OutputOptions, kind: FolderKind): Promise<void> {
  for (let tries = 1; ; tries++) {
    const before = await folderId(place.target);
    try {
      return await checkOnce(place, options, kind);
    } catch (error) {
      // Another command may have given the name to another folder while this one was looked at.
      if (tries === MOST_TRIES || before === (await folderId(place.target))) throw error;
    }
  }
}

async function folderId(path: string): Promise<string> {
  const { ino, mtimeNs } = (await stat(path, { bigint: true }).catch(() => undefined)) ?? {};
  return `${ino}:${mtimeNs}`;
}

async function checkOnce(
  { out, target }: OutputPlace,
  { force = false, inputs = [] }: OutputOptions,
  kind: FolderKind,
): Promise<void> {
  const found = await kindOf(target);
  if (found === undefined) return;
  if (found !== 'folder') throw new SlothfulError('exists', out, 'is a file, and a folder is to be made', OTHER);
  const names = await readdir(target);
  if (names.length === 0) return;
  await refuseInputs({ out, target }, inputs);
  if (!force) throw new SlothfulError('exists', out, 'is there already', FORCE);
  const files = await ownFiles(target, out, names, kind);
  await refuseLinks(
    { out, target },
    [...files].map((file) => join(target, file)),
    inputs,
  );
  if (isWithin(target, process.cwd())) {
    throw new SlothfulError('exists', out, 'is the folder that you are in', 'go elsewhere to replace it');
  }
}

/** @throws SlothfulError `exists` where the folder has no manifest of its kind, or something that this does not list */
async function ownFiles(target: string, out: string, names: readonly string[], kind: FolderKind): Promise<FilePaths> {
  const { manifest, plural } = kind;
  const files = await kind.files(target);
  if (!files) {
    const problem = `is a folder with other files (${names.slice(0, 3).join(', ')}) and no ${manifest}`;
    throw new SlothfulError('exists', out, `${problem}; even --force replaces only ${plural}`, OTHER);
  }
  const strangers = await strangersIn(target, files);
  if (!strangers.length) return files;
  const problem = `holds what its ${manifest} does not list (${strangers.join(', ')}), and --force would remove that`;
  throw new SlothfulError('exists', out, problem, 'move it elsewhere, or give another name');
}

/**
 * Whether a file may be written: nothing is there, or with `force` a file that looks as those of its kind do.
 *
 * @param isOurs whether a file is of the kind that is written
 * @throws SlothfulError `exists` saying why not, `io`
 */
export async function checkFile(
  { out, target }: OutputPlace,
  { force = false, inputs = [] }: OutputOptions,
  isOurs: (path: string) => Promise<boolean> = async () => true,
): Promise<void> {
  const found = await kindOf(target);
  if (found === undefined) return;
  if (found === 'folder') throw new SlothfulError('exists', out, 'is a folder', 'give the name of a file');
  if (found === 'other') throw new SlothfulError('exists', out, 'is a device or a pipe', 'give the name of a file');
  await refuseInputs({ out, target }, inputs);
  await refuseLinks({ out, target }, [target], inputs);
  if (!force) throw new SlothfulError('exists', out, 'is there already', FORCE);
  if (await isOurs(target)) return;
  const problem = 'is a file of another kind, and --force replaces only what such a command wrote';
  throw new SlothfulError('exists', out, problem, OTHER);
}

/** @throws SlothfulError `exists` where an output is, or holds, what is read: by its path, or where a link leads */
async function refuseInputs({ out, target }: OutputPlace, inputs: readonly string[]): Promise<void> {
  for (const input of inputs) {
    if (isUrl(input)) continue;
    const whole = resolve(input);
    const parent = await realpath(dirname(whole)).catch(() => dirname(whole));
    const places = [await realpath(whole).catch(() => whole), join(parent, basename(whole))];
    if (!places.some((place) => isWithin(target, place)) && !(await isPartOf(target, places[0] ?? whole))) continue;
    const problem = places.includes(target) ? 'is what this command reads' : `holds ${input}, which this command reads`;
    throw new SlothfulError('exists', out, problem, 'give another name to write to');
  }
}

/** Whether a folder is in a model or pipeline that is read, and has files of it. */
async function isPartOf(target: string, input: string): Promise<boolean> {
  if (!isWithin(input, target)) return false;
  const files = await MODEL_FOLDER.files(input);
  return [...(files ?? [])].some((file) => isWithin(target, join(input, file)));
}

/**
 * A file that is read may have a second name in the output. Models as a whole are not looked at so: patched ones share
 * weights by hard links, and each stays complete when the other goes.
 */
async function refuseLinks({ out }: OutputPlace, files: readonly string[], inputs: readonly string[]): Promise<void> {
  const read = new Map<string, string>();
  for (const input of inputs) {
    const id = isUrl(input) ? undefined : await fileId(input);
    if (id !== undefined) read.set(id, input);
  }
  if (!read.size) return;
  for (const file of files) {
    const input = read.get((await fileId(file)) ?? '');
    if (input === undefined) continue;
    const problem = `has ${basename(file)}, which is the same file as ${input}, and this command reads that`;
    throw new SlothfulError('exists', out, problem, 'give another name to write to');
  }
}

/** What the names of one file have in common; undefined for folders and what is not there. */
async function fileId(path: string): Promise<string | undefined> {
  const entry = await stat(path, { bigint: true }).catch(() => undefined);
  return entry?.isFile() ? `${entry.dev}:${entry.ino}` : undefined;
}
