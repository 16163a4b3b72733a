import { readdirSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SlothfulError } from '../errors.ts';
import { mustRun } from './run-program.ts';
import type { WheelTarget } from './wheel-target.ts';

/** The library inside a wheel does not depend on Python's version; one is named so that the same wheel comes always. */
const WHEEL_PYTHON = { version: '3.11', abi: 'cp311' };

/** Unpacks members of a wheel: argv is the wheel, the folder and then pairs of prefix and what to put in its place. */
const UNPACK = `
import os, shutil, sys, zipfile
wheel, out, *pairs = sys.argv[1:]
rules = list(zip(pairs[::2], pairs[1::2]))
with zipfile.ZipFile(wheel) as archive:
    for info in archive.infolist():
        rule = next((r for r in rules if info.filename.startswith(r[0])), None)
        if rule is None or info.is_dir() or '..' in info.filename.split('/'):
            continue
        path = os.path.join(out, rule[1] + info.filename[len(rule[0]):])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(info) as source, open(path, 'wb') as target:
            shutil.copyfileobj(source, target, 1 << 20)
        os.chmod(path, (info.external_attr >> 16) & 0o777 | 0o600)
`;

/** How far a download is. */
export interface Download {
  /** "123 MB of 270 MB", from what lies in the folder and what pip has said. */
  describe(): string;
  readonly run: () => Promise<string>;
}

/**
 * A download of one wheel by pip, without what it depends on.
 *
 * @param requirement as pip takes it: `tensorflow==2.21.0`
 * @param folder where the wheel goes; pip's temporary files too, so that they are on the cache's disk
 */
export function wheelDownload(python: string, requirement: string, target: WheelTarget, folder: string): Download {
  let total = '';
  return {
    describe: () => `${Math.round(sizeOf(folder) / 1e6)} MB${total && ` of ${total}`}`,
    async run() {
      await mkdir(folder, { recursive: true });
      const into = await mkdtemp(join(folder, 'wheel-'));
      const args = ['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check'];
      args.push('--progress-bar=off', '--python-version', WHEEL_PYTHON.version, '--implementation', 'cp');
      args.push('--abi', WHEEL_PYTHON.abi, ...target.platforms.flatMap((tag) => ['--platform', tag]));
      const cure =
        'see that pip reaches a package index (PIP_INDEX_URL), or has the wheel in a folder (PIP_FIND_LINKS)';
      await mustRun(
        python,
        [...args, '--dest', into, requirement],
        { place: `pip download "${requirement}"`, cure },
        {
          env: { ...process.env, TMPDIR: folder },
          onOutput: (text) => {
            total = /\(([\d.]+ [kMG]B)\)/.exec(text)?.[1] ?? total;
          },
        },
      );
      const wheel = (await readdir(into)).find((name) => name.endsWith('.whl'));
      if (!wheel) throw new SlothfulError('backend', `pip download "${requirement}"`, 'left no wheel', cure);
      return join(into, wheel);
    },
  };
}

/** Unpacks those members of a wheel whose path starts with a key of `rules`, with the key replaced by its value. */
export async function unpackWheel(
  python: string,
  wheel: string,
  folder: string,
  rules: Readonly<Record<string, string>>,
) {
  const failure = { place: wheel, cure: 'see that the disk has room, then run setup-native again' };
  await mustRun(python, ['-c', UNPACK, wheel, folder, ...Object.entries(rules).flat()], failure);
}

/** Removes a downloaded wheel, with the folder made for it. */
export async function removeWheel(wheel: string): Promise<void> {
  await rm(join(wheel, '..'), { recursive: true, force: true });
}

/** Bytes of the files in a folder. Files that go while they are counted do not count. */
function sizeOf(folder: string): number {
  let sum = 0;
  try {
    for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const found = statSync(join(folder, entry), { throwIfNoEntry: false });
      if (found?.isFile()) sum += found.size;
    }
  } catch {
    // pip has just removed one of its folders.
  }
  return sum;
}
