import { existsSync, readdirSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { circlesOf, houseFiles, houseImports, isHouseFile, loadedWith } from '../../scripts/architecture/imports.ts';
import { crossings, ENTRY, folderOf, ROOMS, roomEdges, roomOf } from '../../scripts/architecture/rooms.ts';

const test = suite('imports point one way');

const ROOT = new URL('../../', import.meta.url);

/** Which rooms a room imports. What is not here is not imported, and what is here is. */
const EDGES: Readonly<Record<string, readonly string[]>> = {
  converters: [
    'converters/checkpoint',
    'converters/unet',
    'converters/controlnet',
    'converters/clip',
    'converters/vae',
    'converters/taesd',
    'converters/lora',
    'converters/ip-adapter',
    'converters/weights',
    'converters/model',
    'graph',
    'models',
    'families',
    'text',
  ],
  'converters/checkpoint': ['converters/weights', 'documents', 'tensors', 'families'],
  'converters/nn': ['graph'],
  'converters/unet': ['converters/checkpoint', 'converters/nn', 'converters/weights', 'documents', 'graph', 'families'],
  'converters/controlnet': [
    'converters/checkpoint',
    'converters/nn',
    'converters/unet',
    'converters/weights',
    'converters/model',
    'documents',
    'tensors',
    'graph',
    'families',
  ],
  'converters/clip': [
    'converters/checkpoint',
    'converters/nn',
    'converters/weights',
    'converters/model',
    'documents',
    'graph',
    'families',
  ],
  'converters/vae': [
    'converters/checkpoint',
    'converters/nn',
    'converters/weights',
    'converters/model',
    'documents',
    'graph',
    'families',
  ],
  'converters/taesd': [
    'converters/checkpoint',
    'converters/nn',
    'converters/weights',
    'converters/model',
    'graph',
    'families',
  ],
  'converters/lora': [
    'converters/checkpoint',
    'converters/unet',
    'converters/weights',
    'documents',
    'tensors',
    'graph',
  ],
  'converters/ip-adapter': ['converters/checkpoint', 'converters/unet', 'converters/weights', 'tensors'],
  'converters/weights': ['converters/nn', 'tensors', 'graph', 'families'],
  'converters/model': ['converters/checkpoint', 'converters/unet', 'converters/weights', 'graph', 'models', 'families'],
  documents: [],
  tensors: ['documents'],
  graph: ['documents', 'tensors'],
  models: ['documents', 'tensors', 'graph', 'families'],
  families: ['documents'],
  backends: [],
  attention: ['documents', 'graph', 'backends'],
  passes: ['documents', 'graph', 'attention', 'kernels'],
  kernels: ['backends', 'attention'],
  runtime: ['graph', 'models', 'backends', 'passes', 'kernels'],
  native: ['models', 'runtime'],
  sampling: ['documents', 'tensors', 'passes', 'runtime'],
  text: ['documents', 'tensors', 'models', 'sampling'],
  vae: ['documents', 'tensors', 'graph', 'runtime', 'sampling'],
  reports: ['documents', 'graph', 'models', 'families', 'backends', 'attention', 'passes', 'sampling'],
  pages: ['reports'],
  pictures: ['documents', 'families', 'sampling'],
  pipeline: [
    'documents',
    'tensors',
    'graph',
    'models',
    'families',
    'backends',
    'attention',
    'passes',
    'runtime',
    'sampling',
    'text',
    'vae',
    'reports',
    'pictures',
  ],
  workflows: ['documents', 'passes', 'pictures'],
  jobs: ['tensors', 'graph', 'models', 'passes', 'runtime', 'sampling', 'text', 'pictures', 'pipeline', 'workflows'],
  sweeps: ['documents', 'graph', 'passes', 'sampling', 'text', 'pages', 'pictures', 'pipeline', 'jobs'],
  cli: [
    'converters',
    'documents',
    'graph',
    'models',
    'backends',
    'passes',
    'runtime',
    'native',
    'sampling',
    'text',
    'reports',
    'pages',
    'pictures',
    'pipeline',
    'workflows',
    'jobs',
    'sweeps',
  ],
  scripts: [
    'converters',
    'converters/nn',
    'documents',
    'tensors',
    'graph',
    'models',
    'families',
    'backends',
    'attention',
    'passes',
    'kernels',
    'runtime',
    'sampling',
    'vae',
    'reports',
    'pages',
    'pictures',
    'pipeline',
    'workflows',
    'jobs',
    'sweeps',
    'cli',
    'entry',
  ],
  entry: [
    'documents',
    'tensors',
    'graph',
    'models',
    'attention',
    'passes',
    'kernels',
    'runtime',
    'sampling',
    'text',
    'vae',
    'reports',
    'pages',
    'pipeline',
    'workflows',
    'jobs',
    'sweeps',
  ],
};

/** Imports of another room that do not go through its index.ts or node.ts, each with its reason. */
const AROUND: Readonly<Record<string, string>> = {
  'src/cli/commands/diff.ts -> src/pipeline/without-tfjs.ts': 'starts without TF.js',
  'src/cli/commands/inspect.ts -> src/pipeline/without-tfjs.ts': 'starts without TF.js',
  'src/cli/commands/patch.ts -> src/pipeline/without-tfjs.ts': 'starts without TF.js',
  'src/cli/flags/size-flags.ts -> src/pipeline/without-tfjs.ts': 'starts without TF.js',
  'src/jobs/node.ts -> src/pipeline/without-tfjs.ts': 'gives on what starts without TF.js',
  'src/reports/plan-report.ts -> src/sampling/run-settings.ts': 'starts without TF.js',
  'src/native/addon.ts -> src/runtime/native-package.ts': 'sets TensorFlow up where TF.js cannot start yet',
  'src/index.ts -> src/passes/slothful/kv-pooling-layer.ts':
    "a tf.layers layer, which the pass's own index does without",
  'scripts/bench/rows/hook.ts -> src/runtime/control.ts': 'measures the hook by itself',
  'scripts/bench/jobs/command.ts -> src/cli/cli.ts': 'measures a command in its process',
  'scripts/generate-checkpoint.ts -> src/cli/terminal.ts': 'prints as the commands do',
};

/** What computes with TF.js: rooms, and single files of others. */
const TFJS_ROOMS: ReadonlySet<string> = new Set([
  'kernels',
  'runtime',
  'sampling',
  'vae',
  'pipeline',
  'jobs',
  'scripts',
]);
const TFJS_FILES: ReadonlySet<string> = new Set(['src/native/check.ts', 'src/passes/slothful/kv-pooling-layer.ts']);
/** Stages are handed TF.js, so they need its types alone. */
const TFJS_TYPES: ReadonlySet<string> = new Set(['src/attention/node/stage.ts', 'src/passes/slothful/kv-pooling.ts']);

/** Rooms whose index.ts a browser can load. */
const BROWSER_ROOMS = ROOMS.map(({ name }) => name).filter(
  (name) => !/^(converters|scripts|cli|native)/.test(name) && existsSync(new URL(`src/${name}/index.ts`, ROOT)),
);

/** Rooms that work on documents alone: what loads them does not wait for TF.js. */
const DOCUMENT_ROOMS = [
  'documents',
  'tensors',
  'graph',
  'models',
  'families',
  'backends',
  'attention',
  'passes',
  'text',
  'reports',
  'pages',
  'workflows',
];

const FILES = houseFiles();
const IMPORTS = houseImports();
const CROSSINGS = crossings(IMPORTS);

/** The way on which a file loads a package, from the file to the package's name. */
function wayTo(entry: string, wanted: (name: string) => boolean): string[] {
  const loaded = loadedWith(entry, IMPORTS);
  const way: string[] = [];
  for (let at = [...loaded.keys()].find(wanted); at; at = loaded.get(at)) way.unshift(at);
  return way;
}

test('the test sees the house', () => {
  assert.ok(FILES.length > 300);
  assert.ok(IMPORTS.length > 3 * FILES.length);
  const lost = IMPORTS.filter(({ to }) => isHouseFile(to) && !FILES.includes(to));
  assert.equal(lost, []);
});

test('every folder is a room', () => {
  const folders = (of: string) =>
    readdirSync(new URL(of, ROOT), { withFileTypes: true }).filter((each) => each.isDirectory());
  const found = [...folders('src'), ...folders('converters').map(({ name }) => ({ name: `converters/${name}` }))];
  const known = ROOMS.map(({ name }) => name).filter((name) => name !== 'converters' && name !== 'scripts');
  assert.equal(found.map(({ name }) => name).sort(), known.toSorted());
  assert.equal(
    ROOMS.filter(({ name }) => !existsSync(new URL(folderOf(name), ROOT))),
    [],
  );
});

test('rooms import the rooms that are listed, and no others', () => {
  assert.equal(Object.fromEntries(roomEdges(CROSSINGS)), EDGES);
});

test('of the passes only a layer for users needs kernels', () => {
  const files = CROSSINGS.filter(({ room, other }) => room === 'passes' && other === 'kernels').map(({ from }) => from);
  assert.equal(files, ['src/passes/slothful/kv-pooling-layer.ts']);
});

test('no room imports itself by way of others', () => {
  assert.equal(circlesOf(CROSSINGS.map(({ room, other }) => ({ from: room, to: other }))), []);
});

test('no file imports itself by way of others, not even its types', () => {
  assert.equal(circlesOf(IMPORTS.filter(({ to }) => isHouseFile(to))), []);
});

test('a circle would be seen', () => {
  const edges = [
    { from: 'a', to: 'b' },
    { from: 'b', to: 'c' },
    { from: 'c', to: 'a' },
    { from: 'c', to: 'd' },
  ];
  assert.equal(circlesOf(edges), [['a', 'b', 'c', 'a']]);
  assert.equal(circlesOf(edges.slice(1)), []);
});

test('rooms are entered by their doors', () => {
  const isDoor = (file: string) =>
    /^src\/(\w+|passes\/[\w-]+)\/(index|node)\.ts$|^converters(\/[\w-]+)?\/index\.ts$/.test(file);
  const around = CROSSINGS.filter(({ to, other }) => other !== ENTRY && !isDoor(to)).map(
    ({ from, to }) => `${from} -> ${to}`,
  );
  assert.equal(around.toSorted(), Object.keys(AROUND).sort());
});

test('TF.js is loaded by what computes with it', () => {
  const used = IMPORTS.filter(({ to }) => to.startsWith('@tensorflow/'));
  const wrong = used.filter(({ from, kind }) => {
    const isAllowed = TFJS_ROOMS.has(roomOf(from) ?? '') || TFJS_FILES.has(from);
    return !isAllowed && !(kind === 'type' && TFJS_TYPES.has(from));
  });
  assert.equal(wrong, []);
  const files = new Set(used.map(({ from }) => from));
  assert.equal(
    [...TFJS_FILES, ...TFJS_TYPES].filter((file) => !files.has(file)),
    [],
  );
});

test('rooms of documents do without TF.js', () => {
  const ways = [
    ...DOCUMENT_ROOMS.map((name) => `src/${name}/index.ts`),
    'src/pipeline/without-tfjs.ts',
    'src/cli/main.ts',
  ];
  assert.equal(
    ways.map((entry) => wayTo(entry, (name) => name.startsWith('@tensorflow/'))).filter((way) => way.length),
    [],
  );
});

test("what runs in browsers loads nothing of Node's", () => {
  assert.ok(BROWSER_ROOMS.length > 12);
  const entries = ['src/index.ts', ...BROWSER_ROOMS.map((name) => `src/${name}/index.ts`)];
  const isNodes = (name: string) => name.startsWith('node:') || name === 'pngjs' || /\/node\.ts$/.test(name);
  assert.equal(
    entries.map((entry) => wayTo(entry, isNodes)).filter((way) => way.length),
    [],
  );
});

test.run();
