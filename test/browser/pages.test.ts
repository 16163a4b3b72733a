import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { diffPage, inspectPage, planPage } from '../../src/pages/index.ts';
import { DEFAULT_PARAMETERS, slothful } from '../../src/passes/index.ts';
import { completeSettings, scheduleOf } from '../../src/pipeline/index.ts';
import { diffGraphs, inspectGraph, type PlanReport, planGraph } from '../../src/reports/index.ts';
import { type SweptCell, sweepPage, sweepRecord } from '../../src/sweeps/node.ts';
import { startChromium } from '../support/chromium.ts';
import { fullSizeGraph, goldenGraph } from '../support/golden-graph.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tinyGraph } from '../support/tiny-model.ts';

const test = suite('pages in Chromium');

const STEPS = 8;
const HOSTILE = '</script><img src=x onerror="document.title=1"><b>&amp;"\'';
const folder = temporaryFolder();
let browser: Browser;
let count = 0;

test.before(async () => {
  browser = await startChromium();
});

test.after(() => browser.close());

interface Opened {
  readonly page: Page;
  /** Errors of the console and of scripts, and whatever was asked of the network. */
  readonly faults: string[];
}

async function open(html: string, options: Parameters<Browser['newPage']>[0] = {}): Promise<Opened> {
  const path = join(folder, `${++count}.html`);
  writeFileSync(path, html);
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const faults: string[] = [];
  page.on('console', (message) => faults.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(pathToFileURL(path).href) && !request.url().startsWith('data:'))
      faults.push(request.url());
  });
  await page.goto(pathToFileURL(path).href);
  return { page, faults };
}

function planOf(family: 'sd15' | 'ssd1b' | 'sdxl', steps = STEPS): PlanReport {
  const graph = goldenGraph(family);
  return planGraph(graph, { schedule: scheduleOf(graph, { steps }), model: HOSTILE });
}

/** Labels and shades of the cells that can change, in the order of the page's sites. */
function cellsOf(page: Page): Promise<{ site: number; label: string; shade: number }[]> {
  return page.$$eval('.cell:not(.cross)', (cells) =>
    cells.map((cell) => ({
      site: Number(cell.getAttribute('data-site')),
      label: cell.querySelector('text')?.textContent ?? '',
      shade: Number(getComputedStyle(cell).getPropertyValue('--v')),
    })),
  );
}

function checkCells(report: PlanReport, cells: Awaited<ReturnType<typeof cellsOf>>, step: number): void {
  assert.is(cells.length, report.sites.filter(({ kind }) => kind === 'self').length);
  for (const { site, label, shade } of cells) {
    const reduction = report.sites[site]?.steps[step]?.reduction ?? 0;
    assert.ok(Math.abs(Number.parseFloat(label) / reduction - 1) < 0.05, `${label} for ${reduction}`);
    assert.ok(Math.abs(shade - Math.min(1, Math.log2(reduction) / 4)) < 0.011, `shade ${shade} for ${reduction}`);
  }
}

test('a page that fails or asks the network is noticed', async () => {
  const { page, faults } = await open('<img src="http://127.0.0.1:9/x.png"><script>throw new Error("broken")</script>');
  assert.ok(faults.includes('broken'));
  assert.ok(faults.some((fault) => fault.startsWith('http://127.0.0.1:9/')));
  await page.close();
});

test('a plan: the slider takes cells, figures, plots, table and panel through the steps', async () => {
  const report = planOf('sd15');
  const { page, faults } = await open(planPage(report));
  checkCells(report, await cellsOf(page), 0);
  const slider = page.locator('#step');
  await slider.focus();
  for (let step = 1; step < STEPS; step++) {
    await page.keyboard.press('ArrowRight');
    assert.match(await page.locator('#step-title').innerText(), new RegExp(`^step ${step + 1} of ${STEPS}: timestep `));
    checkCells(report, await cellsOf(page), step);
  }
  assert.is(await slider.getAttribute('aria-valuetext'), await page.locator('#step-title').innerText());
  const marks = await page.$$eval('.now', (lines) => lines.map((line) => Number(line.getAttribute('x1'))));
  await page.keyboard.press('Home');
  const back = await page.$$eval('.now', (lines) => lines.map((line) => Number(line.getAttribute('x1'))));
  assert.ok(marks.length === 4 && marks.every((x, index) => x > (back[index] ?? 0)));
  assert.match(await page.locator('#detail').innerText(), /input\.0\.0\.0[\s\S]*K\/V tokens\s+160/);
  const row = page.locator('#sites tr[data-site="0"]');
  assert.match(await row.innerText(), /input\.0\.0\.0\s+1024\s+5\.\d+\s+6\.4x\s+2 x 3\s+160/);
  assert.equal(faults, []);
  await page.close();
});

test('cells can be walked by the keyboard', async () => {
  const { page, faults } = await open(planPage(planOf('sd15')));
  const chosen = () => page.locator('.cell.chosen').getAttribute('aria-label');
  const inTabOrder = await page.$$eval('.cell[tabindex="0"]', (cells) => cells.length);
  assert.is(inTabOrder, 1, 'one stop for all cells');
  await page.locator('.cell[tabindex="0"]').focus();
  assert.match((await chosen()) ?? '', /^input\.0\.0\.0:/);
  const walk: readonly (readonly [string, RegExp])[] = [
    ['ArrowRight', /^input\.0\.1\.0:/],
    ['ArrowDown', /^input\.0\.1\.0\.cross:/],
    ['ArrowDown', /^input\.1\.[01]\.0:/],
  ];
  for (const [key, expected] of walk) {
    await page.keyboard.press(key);
    assert.match((await chosen()) ?? '', expected);
    assert.ok(await page.locator('.cell.chosen').evaluate((cell) => cell === document.activeElement));
  }
  assert.match(await page.locator('#detail').innerText(), /input\.1\./);
  assert.is(await page.locator('#sites tr.chosen').count(), 1);
  assert.equal(faults, []);
  await page.close();
});

test('tables sort by value, both ways', async () => {
  const { page, faults } = await open(planPage(planOf('sd15')));
  const values = () => page.$$eval('#sites td:nth-child(6)', (cells) => cells.map((cell) => Number(cell.textContent)));
  const head = page.locator('#sites th', { hasText: 'K/V tokens' });
  await head.locator('button').press('Enter');
  const up = await values();
  assert.is(await head.getAttribute('aria-sort'), 'ascending');
  assert.equal(
    up,
    [...up].sort((a, b) => a - b),
  );
  await head.locator('button').click();
  assert.equal(await values(), [...up].reverse());
  assert.is(await head.getAttribute('aria-sort'), 'descending');
  await page.locator('#sites th', { hasText: 'site' }).locator('button').click();
  assert.match(await page.locator('#sites tbody tr').first().innerText(), /^input\.0\.0\.0/);
  assert.is(await page.locator('#sites th[aria-sort]').count(), 1);
  assert.equal(faults, []);
  await page.close();
});

test('light, dark and on paper', async () => {
  const html = planPage(planOf('ssd1b'));
  const look = (page: Page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await open(html, { colorScheme: 'light' });
  const dark = await open(html, { colorScheme: 'dark' });
  assert.is.not(await look(light.page), await look(dark.page));
  await dark.page.emulateMedia({ media: 'print' });
  assert.is(await look(dark.page), 'rgb(255, 255, 255)');
  assert.not(await dark.page.locator('#step').isVisible());
  assert.ok(await dark.page.locator('.heat').isVisible(), 'the whole run is there without the slider');
  assert.ok((await dark.page.pdf()).length > 10_000);
  assert.equal([...light.faults, ...dark.faults], []);
  await light.page.close();
  await dark.page.close();
});

test('without scripts the whole run can still be read', async () => {
  const { page } = await open(planPage(planOf('sd15')), { javaScriptEnabled: false });
  assert.ok(await page.locator('.heat').isVisible());
  assert.is(await page.locator('.heat rect').count(), 7 * STEPS);
  assert.match(await page.locator('main').innerText(), /Self-attentions over the run/);
  await page.close();
});

for (const family of ['sd15', 'ssd1b', 'sdxl'] as const) {
  test(`${family}: cells lie in their boxes, apart from each other, with their labels inside`, async () => {
    const { page } = await open(planPage(planOf(family, 2)));
    // tsx wraps inner functions of what is evaluated here in calls of this.
    await page.evaluate('globalThis.__name = (value) => value');
    const overlaps = await page.evaluate(() => {
      const rects = [...document.querySelectorAll('.cell > rect')].map((rect) => rect.getBoundingClientRect());
      const boxes = [...document.querySelectorAll('rect.box')].map((rect) => rect.getBoundingClientRect());
      const meet = (a: DOMRect, b: DOMRect) =>
        a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5;
      const inside = (a: DOMRect, b: DOMRect) =>
        a.left >= b.left - 0.5 && a.right <= b.right + 0.5 && a.top >= b.top - 0.5 && a.bottom <= b.bottom + 0.5;
      const pairs = [rects, boxes].flatMap((list) =>
        list.flatMap((a, index) => list.slice(index + 1).filter((b) => meet(a, b))),
      );
      const outside = rects.filter((rect) => !boxes.some((box) => inside(rect, box)));
      const labels = [...document.querySelectorAll('.cell:not(.cross)')].filter((cell) => {
        const [text, rect] = [cell.querySelector('text'), cell.querySelector('rect')];
        return !text || !rect || text.getBoundingClientRect().width > rect.getBoundingClientRect().width;
      });
      return { pairs: pairs.length, outside: outside.length, labels: labels.length, cells: rects.length };
    });
    const cells = { sd15: 32, ssd1b: 68, sdxl: 140 }[family];
    assert.equal(overlaps, { pairs: 0, outside: 0, labels: 0, cells });
    await page.close();
  });
}

test('an inspection and a comparison open without an error, names and all', async () => {
  const plain = goldenGraph('ssd1b');
  const patched = await plain.clone().transform(slothful());
  const inspected = await open(inspectPage(inspectGraph(plain, { model: HOSTILE, notes: [HOSTILE] })));
  assert.is(await inspected.page.locator('h1').innerText(), `Attentions of ${HOSTILE}`);
  assert.is(await inspected.page.locator('img').count(), 0);
  assert.is(await inspected.page.locator('.cell').count(), 68);
  const compared = await open(diffPage(diffGraphs({ graph: plain, model: HOSTILE }, { graph: patched, model: 'b' })));
  // The cross-attentions only became a node: their results are the same.
  assert.is(await compared.page.locator('.cell.added').count(), 34);
  assert.match(await compared.page.locator('#detail').innerText(), /change\s+patched/);
  assert.equal([...inspected.faults, ...compared.faults], []);
  await inspected.page.close();
  await compared.page.close();
});

/** A sweep of two cells, whose names are other people's. */
function sweptCells(): SweptCell[] {
  const { settings } = completeSettings({ data_space: 'rgb' }, {}, { rows: 2, columns: 2, batch: 1, scale: 1 }, true);
  const picture = { width: 2, height: 2, rgba: new Uint8ClampedArray(16).fill(99) };
  const run = { picture, milliseconds: 1234 };
  const measures = { psnr: null, ssim: 1, high_frequency_ratio: 1, gradient_similarity: 1 };
  return [DEFAULT_PARAMETERS, undefined].map((parameters, column) => {
    const cell = { column, row: 0, values: { preset: HOSTILE }, request: {}, prompt: HOSTILE, parameters, passes: {} };
    return { ...run, cell, settings, kv_tokens: 160, flops: { plain: 4e9, patched: 2e9 }, plain: run, measures };
  });
}

test('a sweep: pictures beside the plain one, parameters that open, no script and no network', async () => {
  const cells = sweptCells();
  const companions = { controlnets: [], controlnets_patched: false, image_embeds: null, ip_adapter_scale: null };
  const files = { cond: null, uncond: null, negative_prompt: null, companions };
  const backend = { name: 'cpu', device: 'CPU' };
  const source = { version: '1', model: HOSTILE, family: null, backend, prompt: HOSTILE, ...files };
  const record = sweepRecord({ source, axes: [], cells, stopped: true, files: [] });
  const { page, faults } = await open(sweepPage(record, cells, [HOSTILE]));
  assert.is(await page.locator('h1').innerText(), `Sweep: ${HOSTILE}`);
  assert.is(await page.locator('img').count(), 3);
  assert.is(await page.locator('script').count(), 0);
  const widths = await page.$$eval('img', (images) => images.map((image) => [image.naturalWidth, image.width]));
  assert.equal(new Set(widths.map(String)), new Set(['2,208']));
  await page.locator('summary').click();
  assert.ok(await page.getByText('in_strength 6').isVisible());
  assert.match(await page.locator('main').innerText(), /Slothful Attention is off/);
  assert.match(await page.locator('.warn').innerText(), /^Stopped before its end/);
  const tops = await page.$$eval('figure', (list) =>
    list.map((figure) => Math.round(figure.getBoundingClientRect().top)),
  );
  assert.is(new Set(tops).size, 1, 'in one row');
  assert.equal(faults, []);
  await page.close();
});

test('a graph without attention has a page too', async () => {
  const { graph } = tinyGraph();
  graph.add({ name: HOSTILE.replaceAll(':', ''), op: 'Softmax', inputs: [{ node: 'with_time', output: 0 }] });
  const { page, faults } = await open(inspectPage(inspectGraph(graph)));
  assert.match(await page.locator('main').innerText(), /Softmaxes that are not usable attentions/);
  assert.is(await page.locator('.cell').count(), 0);
  assert.equal(faults, []);
  await page.close();
});

test('the pages of SDXL in full size are under 1 MB', async () => {
  const graph = fullSizeGraph('sdxl');
  const pages = [
    inspectPage(inspectGraph(graph)),
    planPage(planGraph(graph, { schedule: scheduleOf(graph, { steps: 100 }) })),
  ];
  for (const html of pages) {
    assert.ok(Buffer.byteLength(html) < 1e6, `${Buffer.byteLength(html)} bytes`);
    const { page, faults } = await open(html);
    assert.is(await page.locator('.cell').count(), 140);
    assert.equal(faults, []);
    await page.close();
  }
});

test.run();
