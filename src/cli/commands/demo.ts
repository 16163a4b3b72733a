import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Argv } from 'yargs';
import { convertCheckpoint } from '../../../converters/index.ts';
import { SlothfulError } from '../../errors.ts';
import { openModel, type PatchedModel, patchModel, readText } from '../../jobs/node.ts';
import { atomicFile } from '../../models/node.ts';
import { slothful } from '../../passes/index.ts';
import type { SlothfulOptions } from '../../passes/slothful/index.ts';
import { contactSheet } from '../../pictures/index.ts';
import { encodePng, readPngText, withPngText } from '../../pictures/node.ts';
import { parametersLine, type RunHalf, type RunOutcome, runPipeline } from '../../pipeline/index.ts';
import type { BackendName } from '../../runtime/index.ts';
import { defineCommand } from '../define-command.ts';
import { withBackendFlag } from '../flags/run-flags.ts';
import { printLine, sayLine } from '../printer.ts';
import { startBars } from '../terminal.ts';
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
/** One whose noise leaves the colours alone: many seeds tint this small model's pictures. */
const SEED = 0;
/** About how wide each picture is on the sheet, in pixels. */
const SHOWN_SIZE = 512;
/** By which a later demo knows its picture. */
const SOFTWARE = 'slothful demo';

function options(cli: Argv<object>) {
  return withBackendFlag(
    cli
      .option('prompt', {
        type: 'string',
        default: 'sloth',
        describe: 'what to draw; an unknown one lists the known words',
      })
      .option('seed', { type: 'number', default: SEED, describe: 'seed of the noise' })
      .option('out-dir', { type: 'string', default: 'out/demo', describe: 'folder for the models and the picture' }),
  );
}

/** `slothful demo`: the whole path on the embedded checkpoint. */
export const demoCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const plainDir = join(argv.outDir, 'plain');
    const patchedDir = join(argv.outDir, 'patched');
    printLine('1. Convert the embedded checkpoint');
    const summary = await convertCheckpoint(demoCheckpoint(), plainDir, {
      dataSpace: 'premultiplied-rgba',
      force: true,
    });
    printLine(`   ${plainDir}: ${summary.family}, ${summary.weights} weights, ${summary.nodes} nodes`);
    printLine();
    printLine('2. Its attentions');
    await printSites(plainDir);
    printLine();
    printLine('3. Patch it');
    printPatch(await patchModel(plainDir, patchedDir, [slothful(PARAMETERS)], { force: true }));
    printLine(`4. Denoise "${argv.prompt}", seed ${argv.seed}, ${STEPS} steps, without and with Slothful Attention`);
    printLine(`   ${await drawBoth({ ...argv, model: patchedDir })}`);
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

function printPatch({ folder, sites, parameters }: PatchedModel): void {
  printLine(`   ${folder}: ${sites.length} self-attentions patched`);
  if (!parameters) return;
  printLine(`   ${parametersLine(parameters)}`);
  printLine();
}

interface Drawing {
  readonly model: string;
  readonly prompt: string;
  readonly seed: number;
  readonly outDir: string;
  readonly backend?: BackendName | undefined;
}

/** Denoises without and with Slothful Attention, and puts both pictures on one sheet. Returns its path. */
async function drawBoth({ model: source, prompt, seed, outDir, backend }: Drawing): Promise<string> {
  const model = await openModel(source);
  const bars = startBars();
  try {
    const { drawing, outcome } = await runPipeline(model, {
      ...{ text: await readText(model, {}), prompt, seed, steps: STEPS, backend, compare: true },
      log: (line) => sayLine(`   ${line}`),
      onStep: ({ index }, half) => bars.update(`   ${LABELS[half]}`, index + 1, STEPS, 'step'),
    });
    bars.end();
    printLine(`   ${LABELS.plain}: every token is a key and a value`);
    printLine(`   ${LABELS.patched}: ${kvSummary(outcome)}`);
    const pictures = drawing.drawn.map((drawn) => drawn.pictures[0]);
    const path = join(outDir, `${prompt.replaceAll(/\W+/g, '-')}-${seed}.png`);
    const content = { columns: [LABELS.plain, LABELS.patched], rows: [{ pictures }] };
    const png = withPngText(encodePng(contactSheet(content, SHOWN_SIZE)), { Software: SOFTWARE });
    await atomicFile(path, png, { force: true, isOurs: isDemoPicture });
    return path;
  } finally {
    bars.end();
  }
}

/** A demo is made again without being asked; somebody's own picture of the same name stays. */
async function isDemoPicture(path: string): Promise<boolean> {
  try {
    return readPngText(await readFile(path), path).get('Software') === SOFTWARE;
  } catch {
    return false;
  }
}

const LABELS: Readonly<Record<RunHalf, string>> = { plain: 'without', patched: 'with' };

function kvSummary({ steps: [first] }: RunOutcome): string {
  return `${first?.kv_tokens} of ${first?.tokens} K/V tokens in the first step`;
}
