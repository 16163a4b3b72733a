/**
 * Draws the README's figures with the embedded checkpoint into docs/figures: what Slothful Attention does to pictures,
 * and its four modes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { convertCheckpoint } from '../converters/index.ts';
import { SlothfulError } from '../src/errors.ts';
import { openModel, readTextTable } from '../src/jobs/node.ts';
import { atomicFile } from '../src/models/node.ts';
import { DEFAULT_PARAMETERS, type PoolingMode, type SlothfulOptions } from '../src/passes/slothful/index.ts';
import { contactSheet, type SheetContent } from '../src/pictures/index.ts';
import { encodePng } from '../src/pictures/node.ts';
import {
  executeRun,
  lookOf,
  parametersInForce,
  pixelsOf,
  promptConditioning,
  resolveRun,
  steer,
} from '../src/pipeline/index.ts';
import type { Picture } from '../src/sampling/index.ts';

const PROMPTS = ['sloth', 'cat', 'owl', 'strawberry', 'birthday cake'];
const SEED = 0;

const pooled = (mode: PoolingMode, k: number, v: number): SlothfulOptions => {
  return { in_mode: mode, out_mode: mode, in_k_blend: k, in_v_blend: v, out_k_blend: k, out_v_blend: v };
};

/** Averages smooth, maxima harden. Strengths and decay are what shows well on pictures of 32 x 32. */
const SMOOTH: SlothfulOptions = { ...pooled('2D_AVG', 1, 1), time_decay: 0.5, in_strength: 8, out_strength: 6 };
const BOLD: SlothfulOptions = { ...pooled('2D_MAX', 0, 0.6), in_strength: 12, out_strength: 8 };
const ROWS: readonly (readonly [label: string, parameters: SlothfulOptions | undefined])[] = [
  ['without', undefined],
  ['defaults', {}],
  ['tuned to smooth: 2D_AVG, blend 1', SMOOTH],
  ['tuned to be bold: 2D_MAX, v_blend 0.6', BOLD],
];

const folder = fileURLToPath(new URL('../docs/figures/', import.meta.url));
const temporary = await mkdtemp(join(tmpdir(), 'slothful-figures-'));
try {
  const artist = await openArtist(join(temporary, 'model'));
  if (isWanted('effect')) await save('effect.png', await effect(artist), 128);
  if (isWanted('modes')) await save('modes.png', await modes(artist), 192);
} finally {
  await rm(temporary, { recursive: true, force: true });
}

/** `npm run figures -- modes` draws that one alone. */
function isWanted(name: string): boolean {
  const names = process.argv.slice(2);
  return names.length === 0 || names.includes(name);
}

/** Draws a prompt with parameters; without any, as the unpatched model does. */
type Artist = (prompt: string, parameters: SlothfulOptions | undefined) => Promise<Picture>;

async function openArtist(model: string): Promise<Artist> {
  const source = fileURLToPath(new URL('../fixtures/demo', import.meta.url));
  await convertCheckpoint(source, model, { dataSpace: 'premultiplied-rgba' });
  const opened = await openModel(model);
  const { settings } = resolveRun(opened, { seed: SEED });
  const pixels = pixelsOf(settings);
  const table = await readTextTable(opened);
  const log = (line: string) => console.error(line);
  const { unet, patchWith } = await steer(opened, { pixels, parameters: DEFAULT_PARAMETERS, log });
  const look = lookOf(opened.graph.metadata, settings, model);
  return async (prompt, changes) => {
    const patch = patchWith(changes && parametersInForce(undefined, changes));
    const { latents } = await executeRun({ unet, settings, conditioning: promptConditioning(table, prompt), patch });
    const [picture] = latents ? look.pictures(latents) : [];
    if (!picture) throw new SlothfulError('bug', prompt, 'made no picture');
    return picture;
  };
}

async function effect(draw: Artist): Promise<SheetContent> {
  const rows = [];
  for (const [label, parameters] of ROWS) {
    const pictures: Picture[] = [];
    for (const prompt of PROMPTS) pictures.push(await draw(prompt, parameters));
    rows.push({ label, pictures });
  }
  return { columns: PROMPTS, rows };
}

/** As the original's documentation shows them; strong, so that they differ on a picture this small. */
async function modes(draw: Artist): Promise<SheetContent> {
  const strong = { time_decay: 0, in_strength: 24, out_strength: 24 };
  const cell = (mode: PoolingMode) => draw('cat', { ...pooled(mode, 1, 1), ...strong });
  const rows = [
    { label: '1D', pictures: [await cell('1D_AVG'), await cell('1D_MAX')] },
    { label: '2D', pictures: [await cell('2D_AVG'), await cell('2D_MAX')] },
  ];
  return { title: 'strength 24, blend 1, time_decay 0', columns: ['AVG', 'MAX'], rows };
}

async function save(name: string, content: SheetContent, side: number): Promise<void> {
  const png = encodePng(contactSheet(content, side));
  await atomicFile(join(folder, name), png, { force: true });
  console.log(`docs/figures/${name}: ${(png.length / 1000).toFixed(0)} kB`);
}
