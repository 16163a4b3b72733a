import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, transformSync } from 'esbuild';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const COMPILED = ['src', 'converters', 'scripts', 'test'];

/** What imports a file of the project: its path from there. */
const SPECIFIER = /["'](\.{1,2}\/[^"'\n]*\.js)["']/g;

/** Tests that import a file by another text. */
export interface Variant {
  readonly tests: readonly string[];
  remove(): void;
}

/** A copy of the project as JavaScript in a temporary folder, in which a file can be wrong. */
export class Copy {
  readonly folder = mkdtempSync(join(tmpdir(), 'slothful-mutants-'));
  readonly #texts = new Map<string, string>();
  readonly #reachedFrom = new Map<string, ReadonlySet<string>>();
  #variants = 0;

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

  textOf(path: string): string {
    return readFileSync(join(ROOT, path), 'utf8');
  }

  /**
   * Writes a file as another text beside it, and all files by way of which tests import it, so that they import this one.
   * Everything else they share.
   *
   * @param text as TypeScript
   * @returns the paths of the tests that are to be run; undefined where the text cannot be compiled
   */
  variant(path: string, text: string, tests: readonly string[]): Variant | undefined {
    const changed = compiledName(path);
    let code: string;
    try {
      const options = { loader: 'ts', format: 'esm', target: 'es2022', logLevel: 'silent' } as const;
      code = withCompiledImports(transformSync(text, options).code, this.#suite);
    } catch {
      return undefined;
    }
    const ending = `.v${++this.#variants}.js`;
    const between = new Set(
      tests.flatMap((test) =>
        [...this.#reached(compiledName(test))].filter((name) => this.#reached(name).has(changed)),
      ),
    );
    const written = [...between].map((name) => {
      const plain = name === changed ? code : (this.#texts.get(name) ?? '');
      const target = join(this.folder, withEnding(name, ending));
      writeFileSync(
        target,
        plain.replace(SPECIFIER, (whole, specifier: string) => {
          return between.has(importedName(name, specifier))
            ? whole.replace(specifier, withEnding(specifier, ending))
            : whole;
        }),
      );
      return target;
    });
    return {
      tests: tests.map((test) => join(this.folder, withEnding(compiledName(test), ending))),
      remove: () => {
        for (const file of written) rmSync(file, { force: true });
      },
    };
  }

  /** Whether a file that was run is a test as a variant has it. */
  isVariant(test: string, file: string): boolean {
    return file.replace(/\.v\d+\.js$/, '.js') === this.pathOf(test);
  }

  /** An empty folder for what tests write. */
  emptyFolder(): string {
    const folder = join(this.folder, 'tmp');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    return folder;
  }

  /** The files of the project that a file imports, directly or by way of others, and itself. */
  reached(path: string): ReadonlySet<string> {
    return new Set([...this.#reached(compiledName(path))].map((name) => name.replace(/\.js$/, '.ts')));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #reached(start: string): ReadonlySet<string> {
    const known = this.#reachedFrom.get(start);
    if (known) return known;
    const reached = new Set<string>();
    const waiting = [start];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (reached.has(name)) continue;
      reached.add(name);
      const from = name;
      const specifiers = (this.#texts.get(name) ?? '').matchAll(SPECIFIER);
      waiting.push(...[...specifiers].map(([, specifier = '']) => importedName(from, specifier)));
    }
    this.#reachedFrom.set(start, reached);
    return reached;
  }

  get #suite(): string {
    return pathToFileURL(this.pathOf('scripts/mutants/child/suite.ts')).href;
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

const compiledName = (path: string) => path.replace(/\.ts$/, '.js');
const withEnding = (name: string, ending: string) => name.replace(/\.js$/, ending);
const importedName = (from: string, specifier: string) => join(dirname(from), specifier).replaceAll('\\', '/');

function withCompiledImports(code: string, suite: string): string {
  return code
    .replace(/((?:from|import)\s*\(?\s*["'])(\.[^"'\n]*)\.ts(["'])/g, '$1$2.js$3')
    .replace(/(from\s*["'])uvu(["'])/g, `$1${suite}$2`);
}
