import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SlothfulError } from '../../src/errors.ts';
import {
  atomicDirectory,
  atomicFile,
  checkOutputFile,
  checkOutputFolder,
  type ModelFile,
  readModel,
  writeModel,
  writeModelOf,
} from '../../src/models/node.ts';
import { failsWith } from '../support/errors.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tinyGraph, writeTiny } from '../support/tiny-model.ts';

const test = suite('writing models');

async function tinyFile(shardBytes = 40): Promise<{ root: string; file: ModelFile }> {
  const root = temporaryFolder();
  const { graph, weights } = tinyGraph();
  writeTiny(join(root, 'plain'), graph, weights, shardBytes);
  return { root, file: await readModel(join(root, 'plain')) };
}

async function tinyFolder(): Promise<string> {
  return join((await tinyFile()).root, 'plain');
}

/** What a patch does, in little. */
function addConstant(file: ModelFile, name: string, value: number): void {
  file.graph.addConstant(name, { dtype: 'float32', shape: [2], values: [value, -value] });
}

async function storedValues(folder: string, name: string): Promise<number[]> {
  for await (const { bytes } of (await readModel(folder)).weights(new Set([name]))) {
    return [...new Float32Array(bytes.buffer)];
  }
  throw new Error(`${name} is not stored`);
}

const inode = (path: string) => statSync(path).ino;

test('a patched model shares its shards and stores what was added', async () => {
  const { root, file } = await tinyFile();
  addConstant(file, 'added', 3);
  const out = join(root, 'deep/er/patched');
  const written = await writeModel(file.graph, out, { shardsFrom: file });
  assert.is(written.sharing, 'linked');
  assert.is(written.shards, 6);
  const shards = readdirSync(join(out, 'shards'));
  assert.is(shards.length, 6);
  for (const name of shards) assert.is(inode(join(out, 'shards', name)), inode(join(root, 'plain/shards', name)));
  const added = readdirSync(out).filter((name) => name.endsWith('.bin'));
  assert.match(added.join(), /^slothful-[0-9a-f]{12}\.bin$/);
  assert.is(written.newBytes, 8 + statSync(join(out, 'model.json')).size);
  assert.equal(await storedValues(out, 'added'), [3, -3]);
  assert.equal(await storedValues(out, 'one'), [1]);
  assert.is(file.graph.addedConstants.size, 1, 'the caller keeps its document as it was');
  assert.equal(readdirSync(join(root, 'deep/er')), ['patched'], 'nothing is left beside it');
  rmSync(join(root, 'plain'), { recursive: true });
  assert.equal(await storedValues(out, 'one'), [1], 'each model is complete by itself');
});

test('patching again drops the constants that the first patch added', async () => {
  const { root, file } = await tinyFile();
  addConstant(file, 'first', 1);
  await writeModel(file.graph, join(root, 'once'), { shardsFrom: file });
  const once = await readModel(join(root, 'once'));
  once.graph.remove('first');
  addConstant(once, 'second', 2);
  await writeModel(once.graph, join(root, 'twice'), { shardsFrom: once });
  const added = readdirSync(join(root, 'twice')).filter((name) => name.startsWith('slothful-'));
  assert.is(added.length, 1);
  assert.equal(await storedValues(join(root, 'twice'), 'second'), [2, -2]);
  addConstant(once, 'third', 3);
  await writeModel(once.graph, join(root, 'thrice'), { shardsFrom: once });
  assert.equal(await storedValues(join(root, 'thrice'), 'third'), [3, -3]);
});

test('the same patch has the same files', async () => {
  const { root, file } = await tinyFile();
  addConstant(file, 'added', 3);
  for (const name of ['a', 'b']) await writeModel(file.graph, join(root, name), { shardsFrom: file });
  assert.equal(readdirSync(join(root, 'a')), readdirSync(join(root, 'b')));
});

test('copies on request, and the files that the metadata name', async () => {
  const { root, file } = await tinyFile();
  writeFileSync(join(root, 'plain/vocab.json'), '{}');
  file.graph.setMetadata({ text: { vocab: 'vocab.json' } });
  const out = join(root, 'copy');
  const written = await writeModel(file.graph, out, { shardsFrom: file, copy: true });
  assert.is(written.sharing, 'copied');
  const shard = 'shards/group1-shard1.bin';
  assert.is.not(inode(join(out, shard)), inode(join(root, 'plain', shard)));
  assert.equal(readFileSync(join(out, shard)), readFileSync(join(root, 'plain', shard)));
  assert.is(readFileSync(join(out, 'vocab.json'), 'utf8'), '{}');
});

test('shards behind symbolic links are linked themselves', async () => {
  const { root } = await tinyFile();
  mkdirSync(join(root, 'linked/shards'), { recursive: true });
  for (const name of readdirSync(join(root, 'plain/shards'))) {
    symlinkSync(join('../../plain/shards', name), join(root, 'linked/shards', name));
  }
  symlinkSync('../plain/model.json', join(root, 'linked/model.json'));
  const file = await readModel(join(root, 'linked'));
  await writeModel(file.graph, join(root, 'elsewhere/out'), { shardsFrom: file });
  assert.equal(await storedValues(join(root, 'elsewhere/out'), 'one'), [1]);
});

test('an existing output is refused, and replaced with force', async () => {
  const { root, file } = await tinyFile();
  const out = join(root, 'out');
  await writeModel(file.graph, out, { shardsFrom: file });
  const before = inode(join(out, 'model.json'));
  await failsWith('exists', /out: is there already; .*--force/, () =>
    writeModel(file.graph, out, { shardsFrom: file }),
  );
  assert.is(inode(join(out, 'model.json')), before);
  addConstant(file, 'added', 3);
  await writeModel(file.graph, out, { shardsFrom: file, force: true });
  assert.equal(await storedValues(out, 'added'), [3, -3]);
  assert.equal(readdirSync(root).sort(), ['out', 'plain']);
});

test('force does not take a folder that is not a model, nor the model that is read', async () => {
  const { root, file } = await tinyFile();
  const write = (out: string) => writeModel(file.graph, out, { shardsFrom: file, force: true });
  mkdirSync(join(root, 'thesis'));
  writeFileSync(join(root, 'thesis/chapter1.txt'), 'years');
  await failsWith('exists', /other files \(chapter1\.txt\) and no model\.json/, () => write(join(root, 'thesis')));
  await failsWith('exists', /holds the model that is read/, () => write(join(root, 'plain')));
  await failsWith('exists', /holds the model that is read/, () => write(root));
  writeFileSync(join(root, 'file'), '');
  await failsWith('exists', /is a file/, () => write(join(root, 'file')));
  assert.equal(readdirSync(root).sort(), ['file', 'plain', 'thesis']);
});

test('force takes a folder only if all of it is listed', async () => {
  const { root, file } = await tinyFile();
  const out = join(root, 'out');
  const write = () => writeModel(file.graph, out, { shardsFrom: file, force: true });
  await write();
  const strangers: readonly [path: string, named: RegExp][] = [
    ['notes.txt', /does not list \(notes\.txt\)/],
    ['shards/lora.safetensors', /does not list \(shards\/lora\.safetensors\)/],
    ['letters/dear.txt', /does not list \(letters\)/],
    ['.hidden', /does not list \(\.hidden\)/],
  ];
  for (const [path, named] of strangers) {
    mkdirSync(dirname(join(out, path)), { recursive: true });
    writeFileSync(join(out, path), 'mine');
    await failsWith('exists', named, write);
    assert.is(readFileSync(join(out, path), 'utf8'), 'mine');
    rmSync(join(out, path.startsWith('letters') ? 'letters' : path), { recursive: true });
  }
  symlinkSync('model.json', join(out, 'link'));
  await failsWith('exists', /does not list \(link\)/, write);
  rmSync(join(out, 'link'));
  await write();
});

test('a pipeline takes along what its manifests list, and nothing that lies beside', async () => {
  const { root } = await tinyFile();
  const pipe = join(root, 'pipe');
  mkdirSync(pipe);
  for (const part of ['unet', 'vae_decoder']) renameSync(await tinyFolder(), join(pipe, part));
  const parts = { unet: 'unet', vae_decoder: 'vae_decoder' };
  const manifest = { schema: 'slothful-pipeline/1', parts, force_zeros_for_empty_prompt: false };
  writeFileSync(join(pipe, 'slothful.json'), JSON.stringify(manifest));
  writeFileSync(join(pipe, 'vae_decoder/notes.txt'), 'mine');
  const file = await readModel(pipe);
  const write = (out: string) => writeModelOf(file, file.graph, out, { force: true });
  await write(join(root, 'out'));
  assert.not.ok(existsSync(join(root, 'out/vae_decoder/notes.txt')));
  assert.ok(existsSync(join(root, 'out/vae_decoder/shards/group1-shard1.bin')));
  await write(join(root, 'out'));
  rmSync(join(pipe, 'vae_decoder/notes.txt'));
  await failsWith('exists', /vae_decoder: holds .*pipe, which this command reads/, () =>
    write(join(pipe, 'vae_decoder')),
  );
});

test('no output is or holds what is read, by whatever name', async () => {
  const { root, file } = await tinyFile();
  const out = join(root, 'out');
  await writeModel(file.graph, out, { shardsFrom: file });
  const shard = join(out, 'shards/group1-shard1.bin');
  symlinkSync(shard, join(root, 'by-symlink'));
  symlinkSync(out, join(root, 'by-folder'));
  linkSync(shard, join(root, 'by-link'));
  const fill = async () => assert.unreachable();
  for (const name of ['out/shards/group1-shard1.bin', 'by-symlink', 'by-folder/model.json', 'by-link', 'out']) {
    const write = () => atomicDirectory(out, { force: true, inputs: [join(root, name)] }, fill);
    await failsWith('exists', /this command reads/, write);
  }
  await failsWith('exists', /by-folder: is what this command reads/, () =>
    atomicDirectory(join(root, 'by-folder'), { force: true, inputs: [out] }, fill),
  );
  for (const name of ['by-link', 'by-symlink', 'out/shards/group1-shard1.bin']) {
    const write = () => atomicFile(join(root, name), 'x', { force: true, inputs: [shard] });
    await failsWith('exists', /this command reads/, write);
  }
  const weights = { force: true, inputs: [join(root, 'plain'), 'https://example.org/out'] };
  await atomicDirectory(out, weights, async () => undefined);
});

test('nothing is left when a shard is missing', async () => {
  const { root, file } = await tinyFile();
  rmSync(join(root, 'plain/shards/group1-shard3.bin'));
  await failsWith('io', /group1-shard3\.bin: is not there/, () =>
    writeModel(file.graph, join(root, 'out'), { shardsFrom: file }),
  );
  assert.equal(readdirSync(root), ['plain']);
});

test('a folder is made whole or not at all', async () => {
  const root = temporaryFolder();
  const out = join(root, 'out');
  const fill = async (folder: string) => {
    writeFileSync(join(folder, 'model.json'), 'half');
    assert.is(readdirSync(root).includes('out'), false, 'not under its name while it is filled');
    throw new SlothfulError('bad-input', 'test', 'on purpose');
  };
  await failsWith('bad-input', /on purpose/, () => atomicDirectory(out, {}, fill));
  assert.equal(readdirSync(root), []);
  mkdirSync(out);
  assert.is(await atomicDirectory(out, {}, async () => 7), 7, 'an empty folder may be there');
  assert.is(statSync(out).mode & 0o777, 0o777 & ~process.umask(), 'as open as any new folder');
  await atomicDirectory(out, {}, async (folder) => writeFileSync(join(folder, 'model.json'), 'old'));
  const breaks = (folder: string) => {
    writeFileSync(join(folder, 'model.json'), 'new');
    return Promise.reject(new Error('on purpose'));
  };
  await atomicDirectory(out, { force: true }, breaks).then(assert.unreachable, () => undefined);
  assert.is(readFileSync(join(out, 'model.json'), 'utf8'), 'old');
  assert.equal(readdirSync(root), ['out']);
});

test('what breaks a folder is told as it was, and a failed system call with the name of the folder', async () => {
  const root = temporaryFolder();
  const out = join(root, 'deep/out');
  const full = Object.assign(new Error('write ENOSPC'), { code: 'ENOSPC' });
  const errors: readonly [thrown: unknown, told: (error: unknown) => boolean][] = [
    [full, (error) => error instanceof SlothfulError && error.code === 'io' && error.cause === full],
    [new Error('on purpose'), (error) => error === errors[1]?.[0]],
    [new SlothfulError('bad-input', 'test', 'ours'), (error) => error === errors[2]?.[0]],
    ['a text', (error) => error === 'a text'],
    [Object.assign(new Error('of another kind'), { code: 7 }), (error) => error === errors[4]?.[0]],
  ];
  for (const [thrown, told] of errors) {
    const caught = await atomicDirectory(out, {}, () => Promise.reject(thrown)).catch((error: unknown) => error);
    assert.ok(told(caught), String(caught));
    assert.equal(readdirSync(root), [], 'nor are the folders above it left');
  }
  await failsWith('io', /deep\/out: does not fit: the disk is full/, () =>
    atomicDirectory(out, {}, () => Promise.reject(full)),
  );
});

test('whether a folder or a file could be written is told before, by the same rules', async () => {
  const { root, file } = await tinyFile();
  const out = join(root, 'out');
  await checkOutputFolder(out, {});
  assert.not.ok(existsSync(out));
  await writeModel(file.graph, out, { shardsFrom: file });
  await failsWith('exists', /out: is there already/, () => checkOutputFolder(out, {}));
  await checkOutputFolder(out, { force: true });
  const path = join(root, 'run.json');
  assert.is(await checkOutputFile(path, {}), path);
  await atomicFile(path, 'zero');
  symlinkSync('run.json', join(root, 'latest'));
  await atomicFile(join(root, 'latest'), 'one', { force: true });
  assert.is(readFileSync(path, 'utf8'), 'one', 'through the link');
  await failsWith('exists', /run\.json: is there already/, () => checkOutputFile(path, {}));
  assert.is(await checkOutputFile(join(root, 'latest'), { force: true }), path);
  const isOurs = async (each: string) => readFileSync(each, 'utf8') === 'two';
  await failsWith('exists', /run\.json/, () => checkOutputFile(path, { force: true, isOurs }));
  await failsWith('exists', /run\.json/, () => atomicFile(path, 'three', { force: true, isOurs }));
  writeFileSync(path, 'two');
  await atomicFile(path, 'three', { force: true, isOurs });
  assert.is(readFileSync(path, 'utf8'), 'three');
});

test('a file that cannot be put in its place leaves no other, nor the folders made for it', async () => {
  const root = temporaryFolder();
  const long = `${'x'.repeat(240)}.json`;
  await failsWith('io', /has too long a name/, () => atomicFile(join(root, 'a/b', `${long}${long}`), 'x'));
  assert.equal(readdirSync(root), []);
});

test('a file is written whole, and not over another without force', async () => {
  const root = temporaryFolder();
  const path = join(root, 'new/run.json');
  await atomicFile(path, 'one');
  await failsWith('exists', /run\.json: is there already/, () => atomicFile(path, 'two'));
  assert.is(readFileSync(path, 'utf8'), 'one');
  await atomicFile(path, Uint8Array.from([50]), { force: true });
  assert.is(readFileSync(path, 'utf8'), '2');
  await failsWith('exists', /is a folder/, () => atomicFile(join(root, 'new'), 'x', { force: true }));
  await failsWith('io', /lies under something that is not a folder/, () => atomicFile(join(path, 'x'), 'x'));
  assert.equal(readdirSync(join(root, 'new')), ['run.json']);
});

test.run();
