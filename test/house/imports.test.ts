import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('imports point one way');

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Which rooms a room may import from, besides itself, src/errors.ts and `documents`, which is below them all. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  documents: [],
  graph: [],
  tensors: ['graph'],
  models: ['graph'],
  attention: ['graph', 'passes'],
  passes: ['attention', 'graph', 'kernels'],
  converters: ['graph', 'models', 'tensors'],
  kernels: ['attention', 'passes'],
  runtime: ['graph', 'attention', 'passes', 'kernels', 'models'],
  sampling: ['runtime', 'passes'],
  pictures: ['sampling'],
  reports: ['graph', 'models', 'attention', 'passes', 'sampling'],
  pages: ['reports'],
  pipeline: [
    'graph',
    'attention',
    'passes',
    'models',
    'tensors',
    'converters',
    'runtime',
    'sampling',
    'pictures',
    'reports',
  ],
  sweeps: ['graph', 'passes', 'sampling', 'pictures', 'reports', 'pages', 'pipeline'],
};

const TFJS_ROOMS: ReadonlySet<string> = new Set(['kernels', 'passes', 'runtime', 'sampling', 'pipeline', 'cli']);
const BROWSER_ROOMS: ReadonlySet<string> = new Set([
  'documents',
  'graph',
  'attention',
  'passes',
  'kernels',
  'sampling',
  'reports',
  'pages',
]);

interface Import {
  file: string;
  room: string;
  target: string;
}

function filesOf(folder: string): string[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name}`);
}

function roomOf(file: string): string {
  const [top = '', second = ''] = file.split('/');
  if (top === 'converters') return 'converters';
  return second.endsWith('.ts') ? 'entry' : second;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const found = [...text.matchAll(/(?:^|\n)(?:import|export)[^;'"]*?from '([^']+)'|\bimport\('([^']+)'\)/g)];
  return found.map((match) => ({ file, room: roomOf(file), target: match[1] ?? match[2] ?? '' }));
}

const FILES = [...filesOf('src'), ...filesOf('converters')];
const IMPORTS = FILES.flatMap(importsOf);

test('the test sees the house', () => {
  assert.ok(FILES.length > 50);
  assert.ok(IMPORTS.length > FILES.length);
});

test('rooms import only from the rooms below them', () => {
  const wrong = IMPORTS.filter(({ file, room, target }) => {
    if (!target.startsWith('.') || room === 'cli' || room === 'entry') return false;
    const to = relative(ROOT, join(ROOT, dirname(file), target));
    if (to === 'src/errors.ts' || to === 'src/version.ts') return false;
    const other = roomOf(to);
    return other !== room && other !== 'documents' && !(MAY[room] ?? []).includes(other);
  });
  assert.equal(wrong, []);
});

test('tfjs is imported in kernels, passes, runtime, sampling, pipeline and the commands only', () => {
  const wrong = IMPORTS.filter(({ room, target }) => target.startsWith('@tensorflow/') && !TFJS_ROOMS.has(room));
  assert.equal(wrong, []);
});

test("what runs in browsers imports nothing of Node's", () => {
  const hook = (file: string) => file === 'src/runtime/hook.ts';
  const wrong = IMPORTS.filter(({ file, room, target }) => {
    return (BROWSER_ROOMS.has(room) || hook(file)) && target.startsWith('node:');
  });
  assert.equal(wrong, []);
});

test.run();
