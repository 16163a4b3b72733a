import { mkdir, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { discardHidden, putFolder, settle } from './exchange.ts';
import { hiddenSibling } from './hidden-names.ts';
import { ioError } from './io-error.ts';
import { type FolderKind, MODEL_FOLDER } from './own-files.ts';
import { makeFolders, realTarget, unmakeFolders } from './real-path.ts';
import { checkFolder, type OutputOptions, type OutputPlace } from './replaceable.ts';

/**
 * A folder that is filled under a hidden name beside its own, and takes that name when it is complete. Until then
 * whatever has the name stays as it is.
 */
export class StagedFolder {
  private constructor(
    private readonly place: OutputPlace,
    private readonly options: OutputOptions,
    private readonly kind: FolderKind,
    /** Where to write. */
    readonly path: string,
    private readonly parents: readonly string[],
  ) {}

  /**
   * Makes the hidden folder, and missing parents. What a killed command left under the name is settled first.
   *
   * @param kind what may be replaced with `force`
   * @throws SlothfulError `exists`, `io`
   */
  static async open(out: string, options: OutputOptions, kind: FolderKind = MODEL_FOLDER): Promise<StagedFolder> {
    const place = { out, target: await realTarget(out) };
    await settle(place.target);
    await checkFolder(place, options, kind);
    const path = hiddenSibling(place.target, 'new');
    let parents: string[] = [];
    try {
      parents = await makeFolders(dirname(place.target));
      await mkdir(path);
    } catch (error) {
      await unmakeFolders(parents);
      throw ioError(error, out);
    }
    return new StagedFolder(place, options, kind, path, parents);
  }

  /** Gives the folder its name. @throws SlothfulError `exists` where what has it by now may not be replaced, `io` */
  async publish(): Promise<void> {
    try {
      await putFolder(this.place.target, this.path, () => checkFolder(this.place, this.options, this.kind));
    } catch (error) {
      throw ioError(error, this.place.out);
    }
  }

  /** Gives the folder another name, which is free; what has its own keeps it. @throws SlothfulError `io` */
  async keepAs(path: string): Promise<void> {
    try {
      await rename(this.path, path);
    } catch (error) {
      throw ioError(error, path);
    }
  }

  /** Takes the folder away, and parents that were made for it. */
  async discard(): Promise<void> {
    await discardHidden(this.path, this.place.target);
    await unmakeFolders(this.parents);
  }
}
