import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SlothfulError } from '../errors.ts';
import { isObject } from '../graph/index.ts';
import { ioError, systemCode } from '../models/index.ts';
import { atomicFile } from '../models/node.ts';
import { type Float32Tensor, writeSafetensors } from '../tensors/node.ts';

const NUMBERS = 10_000;

/** The folder that a run or a sweep leaves its files in; it is made with the first of them. */
export class RunFolder {
  readonly files: string[] = [];
  private begun = false;

  private constructor(
    readonly path: string,
    /** Name of the file that says what the others are; it is written last. */
    private readonly record: string,
    /** Files of an earlier run, which go when the first new one comes. */
    private readonly old: readonly string[] = [],
  ) {}

  /**
   * Takes a folder that is new or empty; with `force` also one that an earlier run filled, whose files go.
   *
   * @param path undefined: the first of `out/<name>-1`, `out/<name>-2`, ... that is not there
   * @throws SlothfulError `exists`, `io`
   */
  static async open(
    path: string | undefined,
    { name, record, force }: { name: string; record: string; force: boolean },
  ): Promise<RunFolder> {
    if (path === undefined) return new RunFolder(await firstFree(join('out', name)), record);
    const found = await namesIn(path);
    if (!found?.length) return new RunFolder(path, record);
    if (!force) throw new SlothfulError('exists', path, 'is there already', 'give another name, or use --force');
    if (!found.includes(record)) {
      const problem = `is a folder with other files (${found.slice(0, 3).join(', ')}) and no ${record}`;
      throw new SlothfulError('exists', path, `${problem}; even --force replaces only its like`, 'give another name');
    }
    const old = await listed(join(path, record));
    return new RunFolder(path, record, [record, ...found.filter((each) => old.includes(each))]);
  }

  /** Writes a file, whole or not at all. @throws SlothfulError `io` */
  async write(name: string, content: string | Uint8Array): Promise<void> {
    await this.begin();
    await atomicFile(join(this.path, name), content, { force: true });
    if (!this.files.includes(name)) this.files.push(name);
  }

  /** Writes tensors as a safetensors file, whole or not at all. @throws SlothfulError `io` */
  async writeTensors(name: string, tensors: ReadonlyMap<string, Float32Tensor>): Promise<void> {
    await this.begin();
    await writeSafetensors(join(this.path, name), tensors);
    this.files.push(name);
  }

  /** Writes the file that says what the others are. @throws SlothfulError `io` */
  async finish(record: object): Promise<void> {
    await this.begin();
    await atomicFile(join(this.path, this.record), `${JSON.stringify(record, null, 2)}\n`, { force: true });
  }

  private async begin(): Promise<void> {
    if (this.begun) return;
    this.begun = true;
    try {
      await mkdir(this.path, { recursive: true });
      for (const name of this.old) await rm(join(this.path, name), { force: true });
    } catch (error) {
      throw ioError(error, this.path);
    }
  }
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

async function listed(path: string): Promise<string[]> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    const files = isObject(value) && Array.isArray(value.files) ? value.files : [];
    return files.filter((file) => typeof file === 'string');
  } catch {
    // A record that cannot be read names nothing.
    return [];
  }
}
