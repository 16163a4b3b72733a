import type { SlothfulParameters } from '../passes/slothful/index.ts';
import { pngAddress } from '../pictures/node.ts';
import type { Picture } from '../sampling/index.ts';
import type { SweptCell, SweptRun } from './sweep.ts';
import { PAGE_STYLE } from './sweep-page-style.ts';
import { plainKey } from './sweep-plan.ts';
import type { SweepRecord } from './sweep-record.ts';

/** Pictures smaller than the first are enlarged, larger than the second reduced. */
const LEAST_WIDTH = 208;
const MOST_WIDTH = 512;

/**
 * The pictures of a sweep with their parameters and measures as one page: no other file, no network, no script.
 *
 * @param record what sweep.json has
 * @param cells in the record's order
 */
export function sweepPage(record: SweepRecord, cells: readonly SweptCell[], axes: readonly string[]): string {
  const title = `Sweep: ${axes.join(' by ') || 'one run'}`;
  const rows = [...new Set(cells.map(({ cell }) => cell.row))];
  const body = rows.map((row) => rowOf(cells.filter(({ cell }) => cell.row === row)));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(sourceLine(record))}</p>
${record.stopped ? '<p class="stopped">Stopped before its end: these are the combinations that were done.</p>' : ''}
<p>Measures are against the picture without Slothful Attention, of the same noise. Fine detail below 1 is smoother,
above 1 rougher. Attention is the FLOPs of all self-attentions over the run.</p>
${body.join('\n')}
</body>
</html>
`;
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
function rowOf(cells: readonly SweptCell[]): string {
  const seen = new Set<string>();
  const figures = cells.flatMap((swept) => {
    const key = plainKey(swept.cell);
    const plain = seen.has(key) ? [] : [plainFigure(swept.plain, swept)];
    seen.add(key);
    return [...plain, cellFigure(swept)];
  });
  return `<section>\n${figures.join('\n')}\n</section>`;
}

function plainFigure(plain: SweptRun, { flops }: SweptCell): string {
  const facts: Fact[] = [
    ['attention', flopsText(flops.plain)],
    ['time', secondsText(plain.milliseconds)],
  ];
  return figure(plain.picture, 'without', 'without Slothful Attention', facts, '');
}

function cellFigure({ cell, picture, measures, flops, milliseconds, kv_tokens }: SweptCell): string {
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

function figure(picture: Picture, name: string, alt: string, facts: readonly Fact[], more: string): string {
  const width = Math.max(LEAST_WIDTH, Math.min(picture.width, MOST_WIDTH));
  const rows = facts
    .map(([key, value]) => `<tr><th>${escapeHtml(key)}</th><td>${escapeHtml(value)}</td></tr>`)
    .join('');
  const image = `<img src="${pngAddress(picture)}" width="${width}" alt="${escapeHtml(alt)}">`;
  return `<figure style="width:${width}px">${image}<figcaption><b>${escapeHtml(name)}</b><table>${rows}</table>${more}</figcaption></figure>`;
}

function parametersOf(parameters: SlothfulParameters | undefined): string {
  if (!parameters) return '<p>Slothful Attention is off</p>';
  const rows = Object.entries(parameters).map(([name, value]) => `${name} ${value}`);
  return `<details><summary>parameters</summary>${rows.map((row) => `<div>${escapeHtml(row)}</div>`).join('')}</details>`;
}

function flopsText(flops: number): string {
  return `${(flops / 1e9).toPrecision(3)} GFLOP`;
}

function secondsText(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (letter) => entities[letter] ?? letter);
}
