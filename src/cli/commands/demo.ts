import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Argv } from 'yargs';
import { convertCheckpoint } from '../../../converters/index.ts';
import { SlothfulError } from '../../errors.ts';
import { atomicFile, loadUNet, readModel, slothful, writeModel } from '../../node.ts';
import type { SlothfulOptions } from '../../passes/slothful/index.ts';
import { contactSheet, encodePng } from '../../pictures/index.ts';
import { executeRun, lookOf, type StepRecord } from '../../pipeline/index.ts';
import type { Picture } from '../../sampling/index.ts';
import { defineCommand } from '../define-command.ts';
import { withBackendFlag } from '../flags/backend-flag.ts';
import { startProgress } from '../print/progress.ts';
import { readConditioner } from '../running/run-conditioning.ts';
import { openSession, settingsOf } from '../running/run-session.ts';
import { printSites } from './inspect.ts';

/** Strong enough to be seen at a glance on a picture of 32 x 32 pixels. */
const PARAMETERS: SlothfulOptions = {
  in_mode: '2D_MAX',
  in_v_blend: 0.6,
  in_strength: 12,
  out_mode: '2D_MAX',
  out_v_blend: 0.6,
  out_strength: 8,
};
const STEPS = 20;
/** About how wide each picture is on the sheet, in pixels. */
const SHOWN_SIZE = 256;

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
  const places = ['../../../fixtures/demo', '../../../../fixtures/demo'].map((up) =>
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
  readonly plainDir: string;
  readonly patchedDir: string;
  readonly prompt: string;
  readonly seed: number;
  readonly outDir: string;
  readonly backend?: 'native' | 'wasm' | 'cpu' | undefined;
}

async function drawBoth(drawing: Drawing): Promise<string> {
  const without = await draw(drawing.plainDir, 'without', drawing);
  const patched = await draw(drawing.patchedDir, 'with', drawing);
  const path = join(drawing.outDir, `${drawing.prompt.replaceAll(/\W+/g, '-')}-${drawing.seed}.png`);
  const content = { columns: ['without', 'with'], rows: [{ pictures: [without, patched] }] };
  await atomicFile(path, encodePng(contactSheet(content, SHOWN_SIZE)), { force: true });
  return path;
}

async function draw(model: string, label: string, { prompt, seed, backend }: Drawing): Promise<Picture> {
  const argv = { model, prompt, seed, steps: STEPS };
  const session = await openSession(argv);
  const conditioning = (await readConditioner(argv, session, [prompt]))(prompt);
  const settings = settingsOf(session, { seed, steps: STEPS }, true);
  const unet = await loadUNet(model, { backend, log: (line) => console.error(`   ${label}: ${line}`) });
  const { record: metadata } = session;
  const patch = metadata && { metadata, parameters: metadata.parameters };
  const progress = startProgress(`   ${label}`);
  const onStep = ({ index }: { index: number }) => progress.update(index + 1, STEPS, 'step');
  try {
    const { steps, latents } = await executeRun({ unet, settings, conditioning, patch, onStep });
    progress.end();
    console.log(`   ${label}: ${kvSummary(steps)}`);
    const [picture] = lookOf(unet.metadata, session.extent, model).pictures(latents ?? new Float32Array());
    if (!picture) throw new SlothfulError('bug', model, 'made no picture');
    return picture;
  } finally {
    progress.end();
    unet.dispose();
  }
}

function kvSummary([first]: readonly StepRecord[]): string {
  if (first?.tokens == null) return 'plain, every token is a key and a value';
  return `${first.kv_tokens} of ${first.tokens} K/V tokens in the first step`;
}
