import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transformSync } from 'esbuild';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const COMPILED = ['src', 'converters', 'scripts', 'test'];

/** A copy of the project as JavaScript in a temporary folder, in which a file can be wrong. */
export class Copy {
  readonly folder = mkdtempSync(join(tmpdir(), 'slothful-mutants-'));
  readonly #texts = new Map<string, string>();

  /** Compiles every file, each by itself, and links what is not compiled. */
  static async make(): Promise<Copy> {
    const copy = new Copy();
    const entryPoints = COMPILED.flatMap((name) => filesUnder(name)).map((path) => join(ROOT, path));
    const options = { entryPoints, outdir: copy.folder, outbase: ROOT, write: false, logLevel: 'silent' } as const;
    const { outputFiles } = await build({ ...options, bundle: false, format: 'esm', target: 'es2022' });
    for (const { path, text } of outputFiles) copy.#write(relative(copy.folder, path), text);
    for (const name of ['fixtures', 'docs', 'node_modules', 'package.json', 'README.md', ...besides()]) {
      mkdirSync(dirname(join(copy.folder, name)), { recursive: true });
      symlinkSync(join(ROOT, name), join(copy.folder, name));
    }
    return copy;
  }

  /** The path in the copy of a file of the project. */
  pathOf(path: string): string {
    return join(this.folder, compiledName(path));
  }

  /**
   * Puts another text in the place of a file of the project.
   *
   * @param text as TypeScript
   * @returns whether it could be compiled
   */
  change(path: string, text: string): boolean {
    try {
      const { code } = transformSync(text, { loader: 'ts', format: 'esm', target: 'es2022', logLevel: 'silent' });
      writeFileSync(this.pathOf(path), withCompiledImports(code, this.#suite));
      return true;
    } catch {
      return false;
    }
  }

  /** Puts the file back as it is. */
  restore(path: string): void {
    writeFileSync(this.pathOf(path), this.#texts.get(compiledName(path)) ?? '');
  }

  /** An empty folder for what tests write. */
  emptyFolder(): string {
    const folder = join(this.folder, 'tmp');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    return folder;
  }

  /** The files of the project that a file imports, directly or by way of others. */
  reached(path: string): ReadonlySet<string> {
    const reached = new Set<string>();
    const waiting = [compiledName(path)];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (reached.has(name)) continue;
      reached.add(name);
      for (const [, specifier = ''] of (this.#texts.get(name) ?? '').matchAll(/["'](\.{1,2}\/[^"'\n]*\.js)["']/g)) {
        waiting.push(join(dirname(name), specifier).replaceAll('\\', '/'));
      }
    }
    return new Set([...reached].map((name) => name.replace(/\.js$/, '.ts')));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #suite(): string {
    return new URL(`file://${this.pathOf('scripts/mutants/child/suite.ts')}`).href;
  }

  #write(path: string, code: string): void {
    const name = path.replaceAll('\\', '/');
    const text = withCompiledImports(code, this.#suite);
    this.#texts.set(name, text);
    mkdirSync(dirname(join(this.folder, name)), { recursive: true });
    writeFileSync(join(this.folder, name), text);
  }
}

/** The TypeScript files under a folder of the project, by their paths in it. */
export function filesUnder(folder: string): string[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).sort();
  return names.filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name.replaceAll('\\', '/')}`);
}

/** What stands beside the sources and is read by tests: texts of WebAssembly, JSON. */
function besides(): string[] {
  return COMPILED.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.ts'))
      .map((entry) => relative(ROOT, join(entry.parentPath, entry.name))),
  );
}

export function sourceText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

const compiledName = (path: string) => path.replace(/\.ts$/, '.js');

function withCompiledImports(code: string, suite: string): string {
  return code
    .replace(/((?:from|import)\s*\(?\s*["'])(\.[^"'\n]*)\.ts(["'])/g, '$1$2.js$3')
    .replace(/(from\s*["'])uvu(["'])/g, `$1${suite}$2`);
}
