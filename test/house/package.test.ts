import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('package.json');

const ROOT = new URL('../../', import.meta.url);

interface Manifest {
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly sideEffects: readonly string[];
  readonly scripts: Readonly<Record<string, string>>;
}

const manifest: Manifest = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));

/** Every source that is compiled into the package. */
const SOURCES = ['src', 'converters'].flatMap((folder) => {
  const names = readdirSync(fileURLToPath(new URL(folder, ROOT)), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name.replaceAll('\\', '/')}`);
});

/** The sources of what is named, where "*" stands for a folder: none where there is no such source. */
function sourcesOf(built: string): string[] {
  const source = built.replace(/^(\.\/)?dist\//, '').replace(/(\.d\.ts|\.js)$/, '.ts');
  const [before = '', after] = source.split('*');
  if (after === undefined) return SOURCES.filter((path) => path === source);
  return SOURCES.filter((path) => {
    const folder = path.slice(before.length, path.length - after.length);
    return path === before + folder + after && folder !== '' && !folder.includes('/');
  });
}

test('whatever it names is built of a source', () => {
  const exported = Object.values(manifest.exports).flatMap((entry) => Object.values(entry));
  const named = [...Object.values(manifest.bin), ...exported, ...manifest.sideEffects];
  assert.ok(named.length > 8);
  assert.equal(
    named.filter((path) => !sourcesOf(path).length),
    [],
  );
});

/** Bundlers drop a module whose exports are not used, unless it is listed. */
test('the modules that do something when they are loaded are its sideEffects, and no others', () => {
  const acts = /^(?:await |try \{|if \(|for \(|import '|[\w.?]+\(|[\w.]+ = |export const \w+ = builtInPass\()/m;
  const acting = SOURCES.filter((path) => acts.test(code(path)));
  assert.equal(acting.sort(), manifest.sideEffects.flatMap(sourcesOf).sort());
});

/** A source without its comments and its templates, which may hold the code of something else. */
function code(path: string): string {
  const text = readFileSync(new URL(path, ROOT), 'utf8');
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/`[^`]*`/g, '``');
}

/** Windows' shell has no `NAME=value command`. */
test('its scripts run in any shell', () => {
  const wrong = Object.entries(manifest.scripts).filter(([, script]) => /(^|&& )[A-Z_]+=/.test(script));
  assert.equal(wrong, []);
});

/** The path of a URL is not the path of a file: it is escaped, and has a slash before Windows' drives. */
test('no file is looked for by the path of a URL', () => {
  const folders = ['src', 'converters', 'scripts', 'test'].map((name) => fileURLToPath(new URL(name, ROOT)));
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
  );
  const sources = files.filter((path) => path.endsWith('.ts'));
  const wrong = sources.filter((path) =>
    /(?:import\.meta\.url|fixture\([^)]*)\)\s*\.pathname/.test(readFileSync(path, 'utf8')),
  );
  assert.ok(sources.length > 400);
  assert.equal(wrong, []);
});

test.run();
