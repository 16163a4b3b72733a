import { appendFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { SlothfulError } from '../errors.ts';
import { ioError, systemCode } from '../models/index.ts';
import {
  atomicFile,
  checkFolder,
  type FolderKind,
  makeFolders,
  readObject,
  realTarget,
  StagedFolder,
  settle,
} from '../models/node.ts';
import { encodeSafetensors, type Float32Tensor } from '../tensors/index.ts';

const NUMBERS = 10_000;
/** Names what is being written, a line each, until the record does: so a killed run's folder is known for what it is. */
const JOURNAL = '.slothful-files';

/** How a folder for the files of a run or a sweep is taken. */
export interface RunFolderOptions {
  /** `run`: what a folder is called that was not named. */
  readonly name: string;
  /** Name of the file that says what the others are; it is written last. */
  readonly record: string;
  /** Replace what an earlier job left, when this one is done. */
  readonly force?: boolean | undefined;
  /** What the job reads; nothing of it may be in the folder. */
  readonly inputs?: readonly string[] | undefined;
  readonly onNote?: ((note: string) => void) | undefined;
}

/**
 * The folder that a run or a sweep leaves its files in. It is made with the first of them, and what is done can be seen in
 * it at once. In the place of an earlier one it is filled under a hidden name, until `during` is over.
 */
export class RunFolder {
  readonly files: string[] = [];
  private writesTo: string | undefined;
  private staged: StagedFolder | undefined;
  private hasRecord = false;

  private constructor(
    private named: string | undefined,
    private free: string,
    private readonly options: RunFolderOptions,
    /** Something is there that goes when this one is whole. */
    private readonly replaces: boolean,
  ) {}

  /**
   * Takes a folder that is new or empty; with `force` also one that an earlier job filled, if nothing else is in it.
   *
   * @param path undefined: the first of `out/<name>-1`, `out/<name>-2`, ... that is not there
   * @throws SlothfulError `exists`, `io`
   */
  static async open(path: string | undefined, options: RunFolderOptions): Promise<RunFolder> {
    const { name, record, force, inputs } = options;
    if (path === undefined) return new RunFolder(undefined, await firstFree(join('out', name)), options, false);
    const target = await realTarget(path);
    await settle(target);
    await checkFolder({ out: path, target }, { force, inputs }, recordedFolder(record));
    return new RunFolder(path, path, options, ((await namesIn(path)) ?? []).length > 0);
  }

  /** Where the files are, or will be when it is closed. */
  get path(): string {
    return this.named ?? this.free;
  }

  /** Writes a file, whole or not at all. @throws SlothfulError `io` */
  async write(name: string, content: string | Uint8Array): Promise<void> {
    const folder = await this.begin();
    if (!this.staged) await appendFile(join(folder, JOURNAL), `${name}\n`).catch(this.fail);
    await atomicFile(join(folder, name), content, { force: this.files.includes(name) });
    if (!this.files.includes(name)) this.files.push(name);
  }

  /** Writes tensors as a safetensors file, whole or not at all. @throws SlothfulError `io` */
  async writeTensors(name: string, tensors: ReadonlyMap<string, Float32Tensor>): Promise<void> {
    await this.write(name, encodeSafetensors(tensors));
  }

  /** Writes the file that says what the others are. @throws SlothfulError `io` */
  async finish(record: object): Promise<void> {
    const folder = await this.begin();
    await atomicFile(join(folder, this.options.record), `${JSON.stringify(record, null, 2)}\n`, {
      force: this.hasRecord,
    });
    this.hasRecord = true;
    await rm(join(folder, JOURNAL), { force: true }).catch(this.fail);
  }

  /** Does the work that fills the folder, and closes it; where the work fails, as one that is not whole. */
  async during<T>(work: () => Promise<T>, isWhole: (done: T) => boolean): Promise<T> {
    let done: T;
    try {
      done = await work();
    } catch (error) {
      // What is wrong with the work is to be heard of, not with the folder.
      await this.close({ isWhole: false }).catch(() => undefined);
      throw error;
    }
    await this.close({ isWhole: isWhole(done) });
    return done;
  }

  /**
   * Says that nothing more is written. In the place of an earlier folder, one that is whole takes its name now; of one that
   * is not, what is done is kept beside it, and the earlier one stays.
   *
   * @throws SlothfulError `exists` where something came into the earlier folder meanwhile, `io`
   */
  private async close({ isWhole }: { readonly isWhole: boolean }): Promise<void> {
    const { staged } = this;
    this.staged = undefined;
    if (!staged) return;
    if (!isWhole) return this.hasRecord ? this.keep(staged) : staged.discard();
    try {
      await staged.publish();
    } catch (error) {
      await this.keep(staged);
      throw error;
    }
  }

  /** What was computed is not lost because the earlier folder stays. */
  private async keep(staged: StagedFolder): Promise<void> {
    const earlier = this.path;
    const kept = await firstFree(`${resolve(earlier)}-unfinished`);
    await staged.keepAs(kept);
    this.named = kept;
    this.options.onNote?.(`${earlier} stays as it was; what was done is in ${kept}`);
  }

  private async begin(): Promise<string> {
    this.writesTo ??= await this.make().catch(this.fail);
    return this.writesTo;
  }

  private async make(): Promise<string> {
    if (this.named === undefined) return this.claim();
    if (this.replaces) {
      const { record, inputs } = this.options;
      this.staged = await StagedFolder.open(this.named, { force: true, inputs }, recordedFolder(record));
      return this.staged.path;
    }
    const target = await realTarget(this.named);
    await makeFolders(target);
    if (!(await namesIn(target))?.length) return target;
    throw new SlothfulError('exists', this.named, 'was filled by another command meanwhile', 'give another name');
  }

  /** Whoever makes a numbered folder has it; others that run at the same time take the next. */
  private async claim(): Promise<string> {
    const { name } = this.options;
    for (;;) {
      await makeFolders(dirname(this.free));
      try {
        await mkdir(this.free);
        this.named = this.free;
        return resolve(this.named);
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw error;
        this.free = await firstFree(join('out', name));
      }
    }
  }

  private readonly fail = (error: unknown): never => {
    throw ioError(error, this.path);
  };
}

/** A folder of files that a record lists; of one that has none yet, those that its journal lists. */
function recordedFolder(record: string): FolderKind {
  return {
    manifest: record,
    plural: 'its like',
    async files(folder) {
      const [own, begun] = [await readObject(join(folder, record)), await journalOf(folder)];
      const isOurs = typeof own?.schema === 'string' && own.schema.startsWith('slothful-');
      if (!isOurs && !begun) return undefined;
      const listed = isOurs && Array.isArray(own.files) ? own.files.filter((file) => typeof file === 'string') : [];
      return new Set([record, JOURNAL, ...listed, ...(begun ?? [])]);
    },
  };
}

async function journalOf(folder: string): Promise<string[] | undefined> {
  return readFile(join(folder, JOURNAL), 'utf8').then(
    (text) => text.split('\n').filter(Boolean),
    () => undefined,
  );
}

async function firstFree(stem: string): Promise<string> {
  for (let number = 1; number < NUMBERS; number++) {
    if ((await namesIn(`${stem}-${number}`)) === undefined) return `${stem}-${number}`;
  }
  throw new SlothfulError('exists', `${stem}-*`, `there are ${NUMBERS} of them`, 'say --out');
}

/** Undefined where there is nothing of that name. */
async function namesIn(path: string): Promise<string[] | undefined> {
  try {
    return await readdir(path);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return undefined;
    if (code === 'ENOTDIR') throw new SlothfulError('exists', path, 'is a file', 'give the name of a folder');
    throw ioError(error, path);
  }
}
