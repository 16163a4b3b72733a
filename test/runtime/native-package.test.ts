import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import util from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { chooseBackend } from '../../src/runtime/backend.ts';
import { cureFor, nodeBackends } from '../../src/runtime/native-backends.ts';
import { mendEnvironment } from '../../src/runtime/native-environment.ts';
import { elfProblem } from '../../src/runtime/native-failure.ts';
import { loadNativePackage, warningsIn } from '../../src/runtime/native-package.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('loading a native package');

/** A project whose native package has this code and, where it is given, this addon. Returns the URL of a module in it. */
function project(code: string, addon?: Uint8Array): string {
  const root = temporaryFolder();
  const folder = join(root, 'node_modules/@tensorflow/tfjs-node-gpu');
  mkdirSync(join(folder, 'lib/napi-v8'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"name": "@tensorflow/tfjs-node-gpu", "main": "index.js"}');
  writeFileSync(join(folder, 'index.js'), code);
  if (addon) writeFileSync(join(folder, 'lib/napi-v8/tfjs_binding.node'), addon);
  return pathToFileURL(join(root, 'index.js')).href;
}

/** What upstream throws where there is no addon. */
const UPSTREAM = `throw new Error("The Node.js native addon module (tfjs_binding.node) can not be found at path: /a.b/lib. \\nPlease run command 'npm rebuild'. \\nMore advice.")`;
const OPEN = "require('./lib/napi-v8/tfjs_binding.node')";

/** The first 64 bytes of a little-endian shared library of 64 bits. */
function elf(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(3, 16);
  header.writeUInt16LE(machine, 18);
  return header;
}

const OTHER = process.arch === 'arm64' ? { name: 'x64', machine: 62 } : { name: 'arm64', machine: 183 };

interface Broken {
  readonly title: string;
  readonly code: string;
  readonly addon?: Uint8Array;
  readonly reason: RegExp;
}

const BROKEN: readonly Broken[] = [
  { title: 'no library', code: UPSTREAM, reason: /^has no library: its tfjs_binding\.node is not there, as after an/ },
  {
    title: 'an import that throws',
    code: 'throw new Error("no. Really. None")',
    reason: /failed: no\. Really\. None$/,
  },
  {
    title: 'a dependency that is not there',
    code: "require('not-there')",
    reason: /^its import failed: Cannot find module 'not-there'$/,
  },
];
const BROKEN_ON_LINUX: readonly Broken[] = [
  {
    title: 'another architecture',
    code: OPEN,
    addon: elf(OTHER.machine),
    reason: new RegExp(`^tfjs_binding\\.node is for ${OTHER.name}, and this Node is for ${process.arch}$`),
  },
  {
    title: 'no library at all',
    code: OPEN,
    addon: Buffer.from('a page that says: log in to download'),
    reason: /^tfjs_binding\.node is not a library of Linux: no ELF header$/,
  },
];

for (const broken of [...BROKEN, ...(process.platform === 'linux' ? BROKEN_ON_LINUX : [])]) {
  test(`${broken.title}: the true reason is told, and wasm runs`, async () => {
    const from = project(broken.code, broken.addon);
    const lines: string[] = [];
    const { dlopen } = process;
    const chosen = await chooseBackend({ log: (line) => lines.push(line) }, nodeBackends(from));
    assert.is(chosen.name, 'wasm');
    assert.match(chosen.failed[0]?.reason ?? '', broken.reason);
    assert.is(chosen.failed[1]?.reason, 'is not installed');
    assert.match(
      lines[0] ?? '',
      /^backend: wasm on CPU; the first that works .*; (run "npm run setup:native"|install)/,
    );
    assert.is(process.dlopen, dlopen, 'Node has its own function again');
  });
}

test('a package finds the functions that Node has taken from util, and no warning of them', async () => {
  const warnings: string[] = [];
  const keep = (warning: Error) => warnings.push(warning.message);
  process.on('warning', keep);
  const code = `
    const { isArray, isNullOrUndefined } = require('util');
    if (![undefined, null].every(isNullOrUndefined) || [0, '', false, NaN].some(isNullOrUndefined)) throw new Error('1');
    if (!isArray([]) || isArray({ length: 0 }) || isArray()) throw new Error('2');
  `;
  await loadNativePackage('@tensorflow/tfjs-node-gpu', project(code));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', keep);
  assert.equal(warnings, []);
  assert.type(Reflect.get(util, 'isNullOrUndefined'), 'function');
});

test('the variable that makes TensorFlow mix layers up is gone before a package loads, and that is said', async () => {
  const name = 'TF_ONEDNN_ASSUME_FROZEN_WEIGHTS';
  process.env[name] = '1';
  const remarks: string[] = [];
  const code = `if (process.env.${name} !== undefined) throw new Error('it is set')`;
  await loadNativePackage('@tensorflow/tfjs-node-gpu', project(code), (text) => remarks.push(text));
  assert.equal(remarks, [`${name} was unset: with it TensorFlow gives convolutions the results of other layers`]);
  assert.is(mendEnvironment({}), undefined);
  assert.is(mendEnvironment({ [name]: '0' }, false), undefined);
  assert.throws(() => mendEnvironment({ [name]: '1' }, false), /is set, and .*: start the process without it/);
});

test('the cure fits the machine, and where the toolkit is', () => {
  const [checkout, installed] = ['file:///a/src/runtime/x.ts', 'file:///a/node_modules/slothful-attention/dist/x.js'];
  assert.is(cureFor('linux', checkout), 'run "npm run setup:native" for the native backend');
  assert.is(cureFor('linux', installed), 'run "npx slothful setup-native" for the native backend');
  assert.match(cureFor('darwin', installed), /^install @tensorflow\/tfjs-node /);
});

test('the header of a library tells its architecture', () => {
  const file = join(temporaryFolder(), 'library.so');
  writeFileSync(file, elf(62));
  assert.is(elfProblem(file, 'x64'), undefined);
  assert.is(elfProblem(file, 'arm64'), 'is for x64, and this Node is for arm64');
  writeFileSync(file, elf(9));
  assert.is(elfProblem(file, 'x64'), 'is for the processor with ELF number 9, and this Node is for x64');
  assert.is(elfProblem(`${file}.not`, 'x64'), undefined);
});

test('of what TensorFlow prints at its start the warnings are told, and nothing else', () => {
  const starting = [
    'WARNING: All log messages before absl::InitializeLog() is called are written to STDERR',
    'I0000 00:00:1 1 port.cc:153] oneDNN custom operations are on.',
    'E0000 00:00:1 1 cuda_fft.cc:467] Unable to register cuFFT factory: one has already been registered',
    'W0000 00:00:1 1 gpu_device.cc:1] Cannot dlopen some GPU libraries.',
    'Skipping registering GPU devices...',
    'I0000 00:00:1 1 cpu_feature_guard.cc:227] This binary is optimized.',
    'To enable more, rebuild.',
    '',
  ];
  assert.is(warningsIn(starting.join('\n')), `${starting[3]}\n${starting[4]}\n`);
  assert.is(warningsIn(''), '');
});

test.run();
