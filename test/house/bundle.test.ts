import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CLIP_MERGES } from '../../src/text/clip-merges.generated.ts';

const test = suite('browser bundle');

const ENTRY = fileURLToPath(new URL('../../src/index.ts', import.meta.url));

test("src/index.ts bundles for a browser and needs nothing of Node's", async () => {
  const { errors, outputFiles, metafile } = await build({
    entryPoints: [ENTRY],
    bundle: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  assert.equal(errors, []);
  assert.ok((outputFiles[0]?.contents.length ?? 0) > 100_000);
  const ours = Object.keys(metafile.inputs).filter((path) => !path.includes('node_modules'));
  assert.ok(ours.some((path) => path.endsWith('src/runtime/unet.ts')));
  assert.not(ours.some((path) => /file-store|write-model|native-backends|cli\//.test(path)));
});

test("CLIP's merges are a module of their own, with their licence, for who asks for them", async () => {
  const { outputFiles } = await build({
    entryPoints: [ENTRY],
    bundle: true,
    splitting: true,
    minify: true,
    outdir: 'bundle',
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'silent',
  });
  const withMerges = outputFiles.filter(({ text }) => text.includes(CLIP_MERGES.slice(0, 100)));
  assert.is(withMerges.length, 1);
  assert.not.match(withMerges[0]?.path ?? '', /index\.js$/);
  assert.match(withMerges[0]?.text ?? '', /Copyright \(c\) 2021 OpenAI/);
});

test.run();
