import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Argv } from 'yargs';
import { convertCheckpoint } from '../../converters/index.ts';
import { SlothfulError } from '../errors.ts';
import { atomicFile, loadUNet, readModel, slothful, writeModel } from '../node.ts';
import { encodePng, enlarge, sheet } from '../pictures/index.ts';
import type { UNet } from '../runtime/index.ts';
import {
  type DenoiseStep,
  decodePictures,
  denoise,
  encodePrompt,
  makeScheduler,
  type Picture,
  parseSchedulerConfig,
  type TextTable,
} from '../sampling/index.ts';
import type { SlothfulOptions } from '../slothful/index.ts';
import { withBackendFlag } from './backend-flag.ts';
import { defineCommand } from './define-command.ts';
import { printSites } from './inspect.ts';
import { startProgress } from './progress.ts';
import { readTextTable } from './text-table-file.ts';

/** Strong enough to be seen at a glance on a picture of 32 x 32 pixels. */
const PARAMETERS: SlothfulOptions = {
  in_mode: '2D_MAX',
  in_v_blend: 0.6,
  in_strength: 12,
  out_mode: '2D_MAX',
  out_v_blend: 0.6,
  out_strength: 8,
};
const SIZE = 32;
const STEPS = 20;
const GUIDANCE_SCALE = 2;
const ENLARGE = 8;

function options(cli: Argv<object>) {
  return withBackendFlag(
    cli
      .option('prompt', {
        type: 'string',
        default: 'sloth',
        describe: 'what to draw; an unknown one lists the known words',
      })
      .option('seed', { type: 'number', default: 1, describe: 'seed of the noise' })
      .option('out-dir', { type: 'string', default: 'out/demo', describe: 'folder for the models and the picture' }),
  );
}

/** `slothful demo`: the whole path on the embedded checkpoint. */
export const demoCommand = defineCommand({
  command: 'demo',
  describe: 'convert, inspect, patch and run the embedded checkpoint',
  builder: options,
  async handler(argv) {
    const plainDir = join(argv.outDir, 'plain');
    const patchedDir = join(argv.outDir, 'patched');
    console.log('1. Convert the embedded checkpoint');
    const summary = await convertCheckpoint(demoCheckpoint(), plainDir, {
      dataSpace: 'premultiplied-rgba',
      force: true,
    });
    console.log(`   ${plainDir}: ${summary.family}, ${summary.weights} weights, ${summary.nodes} nodes\n`);
    console.log('2. Its attentions');
    await printSites(plainDir);
    console.log('\n3. Patch it');
    console.log(`   ${patchedDir}: ${await patch(plainDir, patchedDir)} self-attentions patched\n`);
    console.log(`4. Denoise "${argv.prompt}", seed ${argv.seed}, ${STEPS} steps, without and with Slothful Attention`);
    const path = await drawBoth({ plainDir, patchedDir, ...argv });
    console.log(`   ${path}`);
  },
});

/** The checkpoint lies beside the sources, or above the built files. */
function demoCheckpoint(): string {
  const places = ['../../fixtures/demo', '../../../fixtures/demo'].map((up) =>
    fileURLToPath(new URL(up, import.meta.url)),
  );
  const found = places.find((place) => existsSync(join(place, 'unet')));
  if (!found) throw new SlothfulError('io', 'fixtures/demo', 'is missing', 'install the whole package');
  return found;
}

async function patch(plainDir: string, patchedDir: string): Promise<number> {
  const source = await readModel(plainDir);
  await source.loadConstants();
  await source.graph.transform(slothful(PARAMETERS));
  await writeModel(source.graph, patchedDir, { shardsFrom: source, force: true });
  const record = source.graph.metadata.slothful;
  return typeof record === 'object' && record && 'sites' in record && Array.isArray(record.sites)
    ? record.sites.length
    : 0;
}

interface Drawing {
  plainDir: string;
  patchedDir: string;
  prompt: string;
  seed: number;
  outDir: string;
  backend?: 'native' | 'wasm' | 'cpu' | undefined;
}

async function drawBoth(drawing: Drawing): Promise<string> {
  const pictures: Picture[] = [];
  for (const dir of [drawing.plainDir, drawing.patchedDir]) pictures.push(await draw(dir, drawing));
  const path = join(drawing.outDir, `${drawing.prompt.replaceAll(/\W+/g, '-')}-${drawing.seed}.png`);
  const enlarged = pictures.map((picture) => enlarge(picture, ENLARGE));
  await atomicFile(path, encodePng(sheet([enlarged])), { force: true });
  return path;
}

async function draw(dir: string, { prompt, seed, backend, plainDir }: Drawing): Promise<Picture> {
  const label = dir === plainDir ? 'without' : 'with';
  const unet = await loadUNet(dir, { backend, log: (line) => console.error(`   ${label}: ${line}`) });
  try {
    const text = await readTextTable(dir, unet.metadata);
    const last = await run(unet, text, { prompt, seed, label });
    console.log(`   ${label}: ${kvSummary(last.first)}`);
    const [picture] = decodePictures(last.step.latents, SIZE, SIZE);
    if (!picture) throw new SlothfulError('bug', dir, 'made no picture');
    return picture;
  } finally {
    unet.dispose();
  }
}

async function run(
  unet: UNet,
  text: TextTable,
  { prompt, seed, label }: { prompt: string; seed: number; label: string },
) {
  const { config } = parseSchedulerConfig(unet.metadata.scheduler, 'metadata.scheduler');
  const cond = { encoder_hidden_states: encodePrompt(text, prompt) };
  const uncond = { encoder_hidden_states: encodePrompt(text, '') };
  const scheduler = makeScheduler(config, STEPS);
  const size = { height: SIZE, width: SIZE };
  const progress = startProgress(`   ${label}`);
  let first: DenoiseStep | undefined;
  let step: DenoiseStep | undefined;
  for await (step of denoise({ unet, scheduler, cond, uncond, guidanceScale: GUIDANCE_SCALE, seed, ...size })) {
    first ??= step;
    progress.update(step.index + 1, STEPS);
  }
  progress.end();
  if (!first || !step) throw new SlothfulError('bug', 'demo', 'made no step');
  return { first, step };
}

function kvSummary({ sites }: DenoiseStep): string {
  if (!sites.length) return 'plain, every token is a key and a value';
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  const kv = sum(sites.map((site) => site.kvTokens));
  return `${kv} of ${sum(sites.map((site) => site.tokens))} K/V tokens in the first step`;
}
