import { type Html, html, htmlPage, lines } from '../pages/index.ts';
import type { SlothfulParameters } from '../passes/slothful/index.ts';
import { pngAddress } from '../pictures/index.ts';
import type { Picture } from '../sampling/index.ts';
import type { SweptCell, SweptRun } from './sweep.ts';
import { plainKey } from './sweep-plan.ts';
import type { SweepRecord } from './sweep-record.ts';

/** Pictures smaller than the first are enlarged, larger than the second reduced. */
const LEAST_WIDTH = 208;
const MOST_WIDTH = 512;

/** What a page of pictures needs besides the style of all pages. */
const STYLE = `
section.row { display: flex; gap: 1rem; overflow-x: auto; }
figure { margin: 0; flex: none; }
img { display: block; image-rendering: pixelated; outline: 1px solid var(--line); }
figcaption { padding-top: .4rem; overflow-wrap: anywhere; }
figcaption table { width: 100%; font-size: .8rem; }
figcaption th { font-weight: normal; }
figcaption th, figcaption td { border: 0; padding: 0; }
figcaption td { text-align: right; padding-left: .5rem; }
figcaption details, figcaption p { font-size: .8rem; color: var(--quiet); margin: 0; }
`;

const MEASURES = `Measures are against the picture without Slothful Attention, of the same noise. Fine detail below 1 is smoother,
above 1 rougher. Attention is the FLOPs of all self-attentions over the run.`;

/**
 * The pictures of a sweep with their parameters and measures as one page: no other file, no network, no script.
 *
 * @param record what sweep.json has
 * @param cells in the record's order
 */
export function sweepPage(record: SweepRecord, cells: readonly SweptCell[], axes: readonly string[]): string {
  const rows = [...new Set(cells.map(({ cell }) => cell.row))];
  return htmlPage({
    title: `Sweep: ${axes.join(' by ') || 'one run'}`,
    summary: sourceLine(record),
    notes: record.stopped ? ['Stopped before its end: these are the combinations that were done.'] : [],
    body: [
      html`<p class="quiet">${MEASURES}</p>`,
      ...rows.map((row) => rowOf(cells.filter(({ cell }) => cell.row === row))),
    ],
    style: STYLE,
  });
}

function sourceLine({ source, cells }: SweepRecord): string {
  const { model, backend, prompt, version } = source;
  const [first] = cells;
  const settings = first?.settings;
  const run = settings
    ? `${settings.scheduler.type}, ${settings.steps} steps, guidance ${settings.guidance_scale}, seed ${settings.seed}`
    : '';
  return [
    model,
    prompt === null ? '' : `"${prompt}"`,
    run,
    `${backend.name} on ${backend.device}`,
    `slothful ${version}`,
  ]
    .filter(Boolean)
    .join(' · ');
}

/** The plain picture of a row goes before it, once for each that there is. */
function rowOf(cells: readonly SweptCell[]): Html {
  const seen = new Set<string>();
  const figures = cells.flatMap((swept) => {
    const key = plainKey(swept.cell);
    const plain = seen.has(key) ? [] : [plainFigure(swept.plain, swept)];
    seen.add(key);
    return [...plain, cellFigure(swept)];
  });
  return html`<section class="row">
${lines(figures)}
</section>`;
}

function plainFigure(plain: SweptRun, { flops }: SweptCell): Html {
  const facts: Fact[] = [
    ['attention', flopsText(flops.plain)],
    ['time', secondsText(plain.milliseconds)],
  ];
  return figure(plain.picture, 'without', 'without Slothful Attention', facts);
}

function cellFigure({ cell, picture, measures, flops, milliseconds, kv_tokens }: SweptCell): Html {
  const name = Object.entries(cell.values)
    .map(([axis, value]) => `${axis} ${value}`)
    .join(', ');
  const facts: Fact[] = [
    ['PSNR', measures.psnr === null ? 'the same' : `${measures.psnr.toFixed(1)} dB`],
    ['SSIM', measures.ssim.toFixed(3)],
    ['fine detail', measures.high_frequency_ratio === null ? '-' : `${measures.high_frequency_ratio.toFixed(2)}x`],
    ['gradients', measures.gradient_similarity.toFixed(3)],
    ['attention', `${flopsText(flops.patched)} (${Math.round((100 * flops.patched) / flops.plain)} %)`],
    ['K/V at first', kv_tokens === null ? 'all' : String(kv_tokens)],
    ['time', secondsText(milliseconds)],
  ];
  return figure(picture, name, name, facts, parametersOf(cell.parameters));
}

type Fact = readonly [name: string, value: string];

function figure(picture: Picture, name: string, alt: string, facts: readonly Fact[], more?: Html): Html {
  const width = Math.max(LEAST_WIDTH, Math.min(picture.width, MOST_WIDTH));
  const rows = facts.map(([key, value]) => html`<tr><th>${key}</th><td>${value}</td></tr>`);
  const image = html`<img src="${pngAddress(picture)}" width="${width}" alt="${alt}">`;
  return html`<figure style="width:${width}px">${image}<figcaption><b>${name}</b><table>${rows}</table>${more}</figcaption></figure>`;
}

function parametersOf(parameters: SlothfulParameters | undefined): Html {
  if (!parameters) return html`<p>Slothful Attention is off</p>`;
  const rows = Object.entries(parameters).map(([name, value]) => html`<div>${name} ${String(value)}</div>`);
  return html`<details><summary>parameters</summary>${rows}</details>`;
}

function flopsText(flops: number): string {
  return `${(flops / 1e9).toPrecision(3)} GFLOP`;
}

function secondsText(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
