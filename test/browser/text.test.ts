import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser } from 'playwright-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { startChromium } from '../support/chromium.ts';
import { readJson } from '../support/fixtures.ts';

const test = suite('prompts in Chromium');

const ROOM = fileURLToPath(new URL('../../src/text/index.ts', import.meta.url));
const PAGE = 'http://text.test/';
let browser: Browser;

test.before(async () => {
  browser = await startChromium();
});

test.after(() => browser.close());

/** A page's program: the ids of every prompt. */
const PROGRAM = `
import { ClipTokenizer, clipVocabulary } from ${JSON.stringify(ROOM)};
globalThis.tokenizeAll = async (prompts) => {
  const tokenizer = new ClipTokenizer(await clipVocabulary());
  return prompts.map((prompt) => [tokenizer.start, ...tokenizer.tokenize(prompt), tokenizer.end]);
};`;

/** The files of the program as a bundler splits it, by name. */
async function bundled(): Promise<Map<string, string>> {
  const { outputFiles } = await build({
    stdin: { contents: PROGRAM, resolveDir: fileURLToPath(new URL('../../', import.meta.url)) },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    outdir: 'bundle',
    write: false,
    logLevel: 'silent',
  });
  return new Map(outputFiles.map(({ path, text }) => [basename(path), text]));
}

test("a page reads prompts with CLIP's vocabulary, which it loads when it is asked for", async () => {
  const files = await bundled();
  const page = await browser.newPage();
  const loaded: string[] = [];
  await page.route(`${PAGE}**`, (route) => {
    const name = basename(new URL(route.request().url()).pathname);
    loaded.push(name);
    const body = files.get(name);
    if (body !== undefined) return route.fulfill({ contentType: 'text/javascript', body });
    return route.fulfill({ contentType: 'text/html', body: '<script type="module" src="stdin.js"></script>' });
  });
  await page.goto(PAGE);
  await page.waitForFunction('globalThis.tokenizeAll');
  assert.not(loaded.some((name) => name.startsWith('clip-merges')));
  const cases = readJson<{ prompt: string; ids: number[] }[]>('pipeline/text/clip-tokens.json');
  const prompts = JSON.stringify(cases.map(({ prompt }) => prompt));
  const ids: unknown = await page.evaluate(`tokenizeAll(${prompts})`);
  assert.equal(
    ids,
    cases.map((each) => each.ids),
  );
  assert.is(loaded.filter((name) => name.startsWith('clip-merges')).length, 1);
});

test.run();
