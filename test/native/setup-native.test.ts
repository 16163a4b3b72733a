import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SlothfulError } from '../../src/errors.ts';
import { describeResult, gpuRemark, parseResult } from '../../src/native/check-result.ts';
import { cudaRequirements, planCuda } from '../../src/native/cuda.ts';
import { extraneousSpecs } from '../../src/native/npm-package.ts';
import { tellingLine } from '../../src/native/run-program.ts';
import { findCompiler, findHeaders, findPython } from '../../src/native/tools.ts';
import { wheelTarget } from '../../src/native/wheel-target.ts';
import { slothful } from '../support/cli.ts';
import { failsWith } from '../support/errors.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('setup-native');
const linux = { platform: 'linux', arch: 'x64', glibc: '2.36' };

const WHEELS = [
  { machine: linux, gpu: false, project: 'tensorflow-cpu', first: 'manylinux_2_36_x86_64' },
  { machine: linux, gpu: true, project: 'tensorflow', first: 'manylinux_2_36_x86_64' },
  { machine: { ...linux, arch: 'arm64' }, gpu: false, project: 'tensorflow', first: 'manylinux_2_36_aarch64' },
  { machine: { ...linux, glibc: '2.17' }, gpu: false, project: 'tensorflow-cpu', first: 'manylinux_2_17_x86_64' },
];

for (const { machine, gpu, project, first } of WHEELS) {
  test(`the wheel for ${machine.arch}, glibc ${machine.glibc}${gpu ? ', GPU' : ''} is ${project}`, () => {
    const target = wheelTarget(machine, gpu);
    assert.is(target.project, project);
    assert.is(target.platforms[0], first);
    assert.ok(target.platforms.every((tag) => tag.endsWith(target.arch)));
    assert.ok(target.platforms.includes(`manylinux2014_${target.arch}`));
    assert.is(target.platforms.includes('manylinux_2_27_x86_64'), machine.arch === 'x64' && machine.glibc === '2.36');
  });
}

const NO_WHEELS = [
  { machine: { ...linux, platform: 'darwin' }, gpu: false, message: /darwin x64: setup-native knows Linux only; try/ },
  { machine: { ...linux, platform: 'win32' }, gpu: true, message: /win32 x64: setup-native knows Linux only/ },
  { machine: { ...linux, arch: 'riscv64' }, gpu: false, message: /linux riscv64: has no TensorFlow wheel/ },
  {
    machine: { ...linux, glibc: undefined },
    gpu: false,
    message: /not glibc, and TensorFlow's wheels need glibc 2\.17/,
  },
  { machine: { ...linux, glibc: '2.12' }, gpu: false, message: /is glibc 2\.12, and/ },
  { machine: { ...linux, arch: 'arm64' }, gpu: true, message: /--gpu: .*no CUDA; run without --gpu/ },
];

for (const { machine, gpu, message } of NO_WHEELS) {
  test(`no wheel: ${machine.platform} ${machine.arch}, glibc ${machine.glibc}`, () =>
    failsWith('unsupported', message, () => wheelTarget(machine, gpu)));
}

/** A folder with shell scripts of these names, to be the only one in PATH. */
function programs(scripts: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const folder = temporaryFolder();
  for (const [name, body] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  }
  return { PATH: folder };
}

function errorOf(found: unknown): string {
  assert.instance(found, SlothfulError);
  return found instanceof SlothfulError ? found.message : '';
}

test('finds python with pip, under either name', async () => {
  assert.is(await findPython(programs({ python3: 'echo Python 3.12.1', python: 'echo Python 3.9.0' })), 'python3');
  assert.is(await findPython(programs({ python: 'echo Python 3.9.0' })), 'python');
});

test('python that is missing, too old or without pip is told with the cure', async () => {
  assert.match(errorOf(await findPython(programs({}))), /^python3: is not installed; install it with pip \(.*apt-get/);
  assert.match(errorOf(await findPython(programs({ python: 'echo Python 2.7.18' }))), /^python3: is not installed/);
  const bare = programs({ python3: '[ "$1" = --version ] && echo Python 3.11.2 || exit 1' });
  assert.match(errorOf(await findPython(bare)), /^pip: python3 does not have it; install it \(python3 -m ensurepip/);
});

test('finds the C++ compiler, and CXX before the usual ones', async () => {
  assert.is(await findCompiler(programs({ 'g++': 'exit 0', 'clang++': 'exit 0' })), 'g++');
  assert.is(await findCompiler({ ...programs({ 'g++': 'exit 0', mine: 'exit 0' }), CXX: 'mine' }), 'mine');
});

test('a compiler that is missing or broken is told with the cure', async () => {
  assert.match(
    errorOf(await findCompiler(programs({}))),
    /^C\+\+ compiler: .*not installed; install g\+\+ or clang\+\+/,
  );
  const broken = { ...programs({ 'g++': 'exit 0', mine: 'exit 1' }), CXX: 'mine' };
  assert.match(errorOf(await findCompiler(broken)), /^CXX=mine: does not run/);
});

test("finds Node's headers below a prefix or in the folder itself", () => {
  const prefix = temporaryFolder();
  const folder = join(prefix, 'include', 'node');
  mkdirSync(folder, { recursive: true });
  assert.match(errorOf(findHeaders(prefix, {})), /^Node's headers: no node_api\.h in .*; install them .*--nodedir/);
  writeFileSync(join(folder, 'node_api.h'), '');
  assert.is(findHeaders(prefix, {}), folder);
  assert.is(findHeaders(folder, {}), folder);
  assert.is(findHeaders(undefined, {}, ['/nowhere', prefix]), folder);
  assert.match(
    errorOf(findHeaders('/nowhere', {}, [prefix])),
    /no node_api\.h in \/nowhere\/include\/node, \/nowhere;/,
  );
});

const LINKER = ['cudart.so.12', 'cublas.so.12', 'cublasLt.so.12', 'cudnn.so.9', 'cufft.so.11', 'cusolver.so.11'].map(
  (name) => `\tlib${name} (libc6,x86-64) => /usr/lib/lib${name}\n`,
);
const COMPLETE = [...LINKER, '\tlibcusparse.so.12 (libc6,x86-64) => /usr/lib/libcusparse.so.12\n'].join('');

test('the CUDA libraries come from the system only where they are complete', () => {
  assert.is(planCuda('auto', { hasDriver: true, linkerCache: COMPLETE }).from, 'system');
  const lacking = planCuda('auto', { hasDriver: true, linkerCache: LINKER.join('') });
  assert.equal(lacking, { from: 'pip', reason: 'the system has no libcusparse.so.12' });
  assert.is(planCuda('auto', { hasDriver: false, linkerCache: COMPLETE }).from, 'nowhere');
  assert.is(planCuda('pip', { hasDriver: false, linkerCache: '' }).from, 'pip');
  assert.is(planCuda('system', { hasDriver: true, linkerCache: '' }).from, 'system');
});

test('the CUDA packages are those of the wheel’s and-cuda extra', () => {
  const metadata = [
    'Name: tensorflow',
    'Requires-Dist: absl-py>=1.0.0',
    'Requires-Dist: nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"',
    "Requires-Dist: nvidia-nccl-cu12 <3.0,>=2.27.7 ; extra == 'and-cuda'",
    'Requires-Dist: gcs-fs; extra == "gcs-filesystem"',
  ].join('\n');
  assert.equal(cudaRequirements(metadata), ['nvidia-cublas-cu12<13.0,>=12.5.3.2', 'nvidia-nccl-cu12 <3.0,>=2.27.7']);
  assert.equal(cudaRequirements('Name: tensorflow-cpu'), []);
});

test('packages that no package.json asks for are named again, so that npm keeps them', () => {
  const dependencies = {
    uvu: { version: '0.5.6' },
    'is-odd': { version: '3.0.1', extraneous: true },
    '@own/tool': { version: '1.0.0', resolved: 'file:../../tool', extraneous: true },
    broken: { extraneous: true },
  };
  assert.equal(extraneousSpecs(JSON.stringify({ dependencies })), ['is-odd@3.0.1', '@own/tool@file:../../tool']);
  assert.equal(extraneousSpecs('{}'), []);
  assert.equal(extraneousSpecs(''), []);
});

test('the check’s answer is read, and anything else is none', () => {
  const result = { device: 'CPU', deviceName: 'A CPU', tensorflow: '2.21.0', maxError: 1e-6, gflops: 123.4 };
  const read = parseResult(`TensorFlow talks\n${JSON.stringify(result)}\n`);
  assert.equal(read, result);
  if (read) assert.is(describeResult(read), 'native backend works: CPU (A CPU), TensorFlow 2.21.0, 123 GFLOPS');
  for (const other of ['', 'null', '{"device":"CPU"}', JSON.stringify({ ...result, device: 'TPU' })]) {
    assert.is(parseResult(other), undefined, other);
  }
  assert.is(parseResult(JSON.stringify({ ...result, gflops: '123' })), undefined);
});

test('what TensorFlow said about GPUs is told without its stamps', () => {
  const log = [
    'I0000 00:00:1795378627.660778    6425 port.cc:153] oneDNN custom operations are on.',
    'I0000 00:00:1795378627.9    6425 cudart_stub.cc:31] Could not find cuda drivers on your machine.',
  ];
  assert.is(gpuRemark(log.join('\n')), 'Could not find cuda drivers on your machine.');
  assert.is(gpuRemark(log[0] ?? ''), undefined);
});

test('of a failed program the line with the error is told', () => {
  assert.is(tellingLine('npm warn old\nnpm error code E404\nnpm error 404 Not Found\n'), 'npm error 404 Not Found');
  assert.is(
    tellingLine("In file\nx.cc:1: error: 'y' was not declared\nnote: z\n"),
    "x.cc:1: error: 'y' was not declared",
  );
  assert.is(tellingLine('one\ntwo\n\n'), 'two');
  assert.is(tellingLine('\n'), undefined);
});

/** Elsewhere the platform is refused first. */
if (process.platform === 'linux')
  test('run without tools and with an empty cache: a line for each, exit 1, nothing downloaded', async () => {
    const cache = temporaryFolder();
    const env = { PATH: temporaryFolder(), XDG_CACHE_HOME: cache, HOME: cache };
    const { code, stdout, stderr } = await slothful(['setup-native', '--nodedir', join(cache, 'nothing')], { env });
    assert.is(code, 1);
    assert.is(stdout, '');
    const errors = stderr.split('\n').filter((line) => line.startsWith('slothful: '));
    assert.equal(
      errors.map((line) => line.split(':')[1]?.trim()),
      ['python3', 'C++ compiler', "Node's headers"],
    );
    assert.not.match(stderr, /downloading|^\s+at /m);
  });

test.run();
