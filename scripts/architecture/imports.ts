/** Which files of the house import which: read from their text, types included. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Folders whose files make the house. Tests are guests. */
const FOLDERS = ['src', 'converters', 'scripts'];

export interface Import {
  /** The importing file, from the checkout's root. */
  readonly from: string;
  /** The imported file, from the checkout's root, or the name of a package or of a module of Node's (`node:fs`). */
  readonly to: string;
  /** `type`: nothing of it is left in JavaScript; `call`: `import()`, when it is needed. */
  readonly kind: 'value' | 'type' | 'call';
}

const STATEMENT = /^(?:import|export)\s+(type\s)?[^;'"]*?\s*from\s+'([^']+)'|^import\s+'([^']+)'/gm;
const CALL = /\bimport\(\s*'([^']+)'\s*\)/g;

/** Every file of the house, from the checkout's root, with slashes. */
export function houseFiles(): string[] {
  return FOLDERS.flatMap((folder) => {
    const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
    return names.filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name.split(sep).join('/')}`);
  }).sort();
}

/** What a file imports, exports from elsewhere, and loads with `import()`. */
function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8').replace(/^\s*(?:\/\*\*|\* |\/\/).*$/gm, '');
  const statements = [...text.matchAll(STATEMENT)].map(([, type, target, bare]): Import => {
    return { from: file, to: resolved(file, target ?? bare ?? ''), kind: type === undefined ? 'value' : 'type' };
  });
  const calls = [...text.matchAll(CALL)].map(([, target = '']): Import => {
    return { from: file, to: resolved(file, target), kind: 'call' };
  });
  return [...statements, ...calls];
}

function resolved(file: string, target: string): string {
  return target.startsWith('.')
    ? relative(ROOT, join(ROOT, dirname(file), target))
        .split(sep)
        .join('/')
    : target;
}

/** Every import of the house. */
export function houseImports(): Import[] {
  return houseFiles().flatMap(importsOf);
}

/** Whether a name is a file's of the house, not a package's. */
export function isHouseFile(name: string): boolean {
  return FOLDERS.some((folder) => name.startsWith(`${folder}/`));
}

/** Everything that is loaded with a file: files of the house and packages, with the file that asked for each. */
export function loadedWith(entry: string, imports: readonly Import[]): Map<string, string> {
  const found = new Map([[entry, '']]);
  for (const file of found.keys()) {
    for (const { from, to, kind } of imports) {
      if (from === file && kind === 'value' && !found.has(to)) found.set(to, file);
    }
  }
  return found;
}

/** Circles of files, types included: each as the files that lead back to the first. */
export function circlesOf(imports: readonly Pick<Import, 'from' | 'to'>[]): string[][] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of imports) targets.set(from, [...(targets.get(from) ?? []), to]);
  const done = new Set<string>();
  const circles: string[][] = [];
  const visit = (file: string, path: readonly string[]) => {
    const start = path.indexOf(file);
    if (start >= 0) circles.push([...path.slice(start), file]);
    if (start >= 0 || done.has(file)) return;
    for (const to of targets.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
  return circles;
}
