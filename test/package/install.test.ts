/**
 * The package as its users get it: packed, installed into an empty project, its README's program compiled and run, the
 * native backend set up, broken in every way that was seen, and mended by the cure that is printed. Needs what
 * `setup-native` needs, a package registry, and the npm that is to be tested first in PATH.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { mustRun, type ProgramResult, runProgram } from '../../src/native/run-program.ts';
import { temporaryFolder } from '../support/temporary.ts';

const test = suite('the package in an empty project');

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const project = join(temporaryFolder(), 'an empty prøject');
const packageFolder = join(project, 'node_modules/slothful-attention');
const nativeFolder = join(project, 'node_modules/@tensorflow/tfjs-node-gpu');
const binding = join(nativeFolder, 'lib/napi-v8/tfjs_binding.node');

/** The environment of a shell, without what the npm that runs the tests says to its scripts. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD$|NODE_OPTIONS$)/.test(name)),
);

/** Runs a program that must succeed. */
function run(command: string, args: readonly string[], cwd = project): Promise<ProgramResult> {
  return mustRun(command, args, { place: [command, ...args].join(' '), cure: 'see above' }, { cwd, env });
}

/** One step on the demo's model, which must succeed: what is said on stderr. */
async function step(...args: readonly string[]): Promise<string> {
  const command = ['run', 'out/demo/plain', '--prompt', 'cat', '--steps', '1', '--out', 'out/one', '--force'];
  const { status, stderr } = await runProgram(join(project, 'node_modules/.bin/slothful'), [...command, ...args], {
    cwd: project,
    env,
  });
  assert.is(status, 0, stderr);
  return linesOf(stderr).join('\n');
}

/** What npm says of itself is not ours. */
function linesOf(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line && !/^npm (warn|notice)/i.test(line));
}

async function worksNatively(): Promise<void> {
  const said = await step('--backend', 'native');
  assert.is(linesOf(said)[0], 'backend: native on CPU; it was asked for');
  assert.not.match(said, /oneDNN|absl|Warning/, 'nothing of TensorFlow, and no warning of Node');
}

test.before(async () => {
  await mkdir(project);
  const packed = temporaryFolder();
  await run('npm', ['pack', '--pack-destination', packed], ROOT);
  const tarball = (await readdir(packed)).find((name) => name.endsWith('.tgz')) ?? '';
  await writeFile(join(project, 'package.json'), '{ "name": "empty", "version": "1.0.0", "type": "module" }');
  await run('npm', ['install', join(packed, tarball)]);
});

test('it carries what its users can run, and nothing else', async () => {
  const files = await readdir(packageFolder, { recursive: true, withFileTypes: true });
  const paths = files.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const names = paths.map((path) => path.slice(packageFolder.length + 1));
  const known = /^(dist\/(src|converters)\/.*\.(js|d\.ts)|docs\/.*|fixtures\/demo\/.*|[A-Z]+(\.md)?|package\.json)$/;
  assert.equal(
    names.filter((name) => !known.test(name)),
    [],
  );
  assert.ok(names.includes('CHANGELOG.md') && names.includes('LICENSE'));
  const missing: string[] = [];
  for (const path of paths.filter((name) => /\.(js|d\.ts)$/.test(name))) {
    const text = await readFile(path, 'utf8');
    for (const [, target = ''] of text.matchAll(/(?:from|import\() ?'(\.[^']+)'/g)) {
      const file = join(dirname(path), target);
      if (!existsSync(file) && !existsSync(file.replace(/\.ts$/, '.d.ts'))) missing.push(`${path}: ${target}`);
    }
  }
  assert.equal(missing, []);
});

test('what its README links to is in it', async () => {
  const text = await readFile(join(packageFolder, 'README.md'), 'utf8');
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)]+)\)/g)].map((match) => match[1] ?? '');
  assert.ok(links.length > 2);
  assert.equal(
    links.filter((link) => !existsSync(join(packageFolder, link))),
    [],
  );
});

test('the demo runs on wasm, and says why and how to have native', async () => {
  const { stderr } = await run('npx', ['slothful', 'demo']);
  const line = linesOf(stderr)[0] ?? '';
  assert.match(
    line,
    /^ {3}backend: wasm on CPU; the first that works \(@tensorflow\/tfjs-node-gpu: (is not inst|has no lib)/,
  );
  assert.match(line, /; run "npx slothful setup-native" for the native backend\)$/);
});

test("the README's program compiles in strict mode, and runs", async () => {
  const text = await readFile(join(packageFolder, 'README.md'), 'utf8');
  const program = /## In your own program\s+[\s\S]*?```ts\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  assert.match(program, /loadUNet\(/);
  await writeFile(join(project, 'program.ts'), program);
  const compilerOptions = { strict: true, module: 'nodenext', target: 'es2022', types: [], skipLibCheck: true };
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
  await run(process.execPath, [TSC]);
  assert.match((await run(process.execPath, ['program.js'])).stdout, /^wasm \[ 1, 32, 32, 4 \] /);
});

test("the package's own types need no skipLibCheck", async () => {
  const { stdout } = await runProgram(process.execPath, [TSC, '--noEmit', '--skipLibCheck', 'false'], {
    cwd: project,
    env,
  });
  const ours = stdout.split('\n').filter((line) => /^(program\.ts|.*slothful-attention\/)/.test(line));
  assert.equal(ours, []);
});

test('setup-native sets it up, and the program runs on native', async () => {
  const { stdout } = await run('npx', ['slothful', 'setup-native', '--json']);
  assert.is(JSON.parse(stdout).device, 'CPU');
  await worksNatively();
  const { stdout: printed, stderr } = await run(process.execPath, ['program.js']);
  assert.match(printed, /^tensorflow \[ 1, 32, 32, 4 \] /);
  assert.is(stderr, '');
});

/** Another processor's number in the header of a library. */
async function makeForeign(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18);
  await writeFile(file, bytes);
}

const FOREIGN =
  process.arch === 'arm64' ? 'is for x64, and this Node is for arm64' : 'is for arm64, and this Node is for x64';

const BROKEN: ReadonlyArray<{
  readonly title: string;
  readonly breakIt: () => Promise<void>;
  readonly reason: string;
}> = [
  {
    title: 'no addon',
    breakIt: () => rm(binding),
    reason: 'has no library: its tfjs_binding.node is not there, as after an install without install scripts',
  },
  {
    title: 'no library',
    breakIt: () => rm(join(nativeFolder, 'deps')),
    reason: 'libtensorflow_cc.so.2: cannot open shared object file: No such file or directory',
  },
  {
    title: 'an addon for another architecture',
    breakIt: () => makeForeign(binding),
    reason: `tfjs_binding.node ${FOREIGN}`,
  },
  {
    title: 'a library for another architecture',
    async breakIt() {
      const lib = join(nativeFolder, 'deps/lib');
      const addon = await readFile(binding);
      await rm(join(nativeFolder, 'deps'));
      await mkdir(lib, { recursive: true });
      await writeFile(join(lib, 'libtensorflow_cc.so.2'), addon);
      await makeForeign(join(lib, 'libtensorflow_cc.so.2'));
    },
    reason: `libtensorflow_cc.so.2 ${FOREIGN}`,
  },
  {
    title: 'a missing symbol',
    async breakIt() {
      const source = join(project, 'broken.cc');
      await writeFile(source, 'extern "C" void TF_NotThere(); extern "C" void use() { TF_NotThere(); }');
      await run(process.env.CXX?.trim() || 'c++', ['-shared', '-fPIC', '-Wl,-z,lazy', source, '-o', binding]);
    },
    reason: 'tfjs_binding.node: undefined symbol: TF_NotThere',
  },
  {
    title: 'an import that throws',
    breakIt: () => writeFile(join(nativeFolder, 'dist/index.js'), 'throw new TypeError("x.y is not a function. No");'),
    reason: 'its import failed: x.y is not a function. No',
  },
];

for (const { title, breakIt, reason } of BROKEN) {
  test(`broken, ${title}: the true reason, wasm goes on, and the cure works`, async () => {
    await breakIt();
    const cure = 'run "npx slothful setup-native" for the native backend';
    const failures = `@tensorflow/tfjs-node-gpu: ${reason}; @tensorflow/tfjs-node: is not installed`;
    const line = linesOf(await step())[0];
    assert.is(line, `backend: wasm on CPU; the first that works (${failures}; ${cure})`);
    await run('npx', ['slothful', 'setup-native']);
    await worksNatively();
  });
}

test('a library that fails to load shows what it printed before', async () => {
  const lib = join(nativeFolder, 'deps/lib');
  const source = join(project, 'talking.cc');
  const talk = 'static int said = fprintf(stderr, "W0000 it talks\\n");';
  const end = (how: string) => writeFile(source, `#include <stdio.h>\n#include <stdlib.h>\n${talk}\n${how}`);
  const compile = (path: string) => run(process.env.CXX?.trim() || 'c++', ['-shared', '-fPIC', source, '-o', path]);
  assert.ok(existsSync(lib));
  await end('extern "C" int nothing = 0;');
  await compile(binding);
  assert.match(await step(), /^W0000 it talks\nbackend: wasm .*did not self-register/);
  await end('static int ended = (abort(), 0);');
  await compile(binding);
  const { status, stderr } = await runProgram(process.execPath, ['program.js'], { cwd: project, env });
  assert.is.not(status, 0);
  assert.match(stderr, /W0000 it talks/);
});

test.run();
