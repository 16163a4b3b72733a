import yargs from 'yargs';
import { startProgress } from '../src/cli/terminal.ts';
import { messageOf } from '../src/errors.ts';
import { formatBytes } from '../src/pages/index.ts';
import { FAMILIES, type FamilyName, readFamily } from './checkpoint/family.ts';
import { familyPipeline, parametersOf } from './checkpoint/pipeline.ts';
import type { WriteProgress } from './checkpoint/random-weights.ts';
import { writeCheckpoint, writeLora } from './checkpoint/write-checkpoint.ts';
import { writePipeline } from './checkpoint/write-pipeline.ts';

const LAYOUTS = ['diffusers', 'ldm'] as const;
const DTYPES = ['F16', 'BF16', 'F32'] as const;

function parse(args: readonly string[]) {
  return yargs([...args])
    .scriptName('generate-checkpoint')
    .usage('$0 <family> <out-dir>\n\nWrites a full-size Stable Diffusion UNet or pipeline with random weights.')
    .command('$0 <family> <out-dir>', false, (cli) =>
      cli
        .positional('family', { choices: FAMILIES, demandOption: true })
        .positional('out-dir', { type: 'string', demandOption: true }),
    )
    .option('layout', {
      choices: LAYOUTS,
      default: 'diffusers' as const,
      describe: 'a diffusers folder or an LDM file',
    })
    .option('dtype', { choices: DTYPES, default: 'F16' as const })
    .option('pipeline', { type: 'boolean', default: false, describe: 'with its text encoders and its VAE' })
    .option('lora', { type: 'number', describe: 'write a LoRA of this rank for the UNet instead' })
    .strict()
    .parseAsync();
}

type Options = Awaited<ReturnType<typeof parse>>;

/** What was written, and what to say of it. */
interface Written {
  readonly path: string;
  readonly bytes: number;
  readonly what: string;
}

/** `node --import tsx scripts/generate-checkpoint.ts <family> <out-dir> [--pipeline] [--layout ldm] [--dtype BF16] [--lora 64]` */
async function main(): Promise<void> {
  const options = await parse(process.argv.slice(2));
  const { family, outDir, dtype } = options;
  const name = FAMILIES.find((known) => known === family);
  if (name === undefined || typeof outDir !== 'string') throw new Error('name a family and a folder');
  const progress = startProgress('generating');
  const start = performance.now();
  const { path, bytes, what } = await write(name, outDir, options, progress.update);
  progress.end();
  const seconds = (performance.now() - start) / 1000;
  const rate = `${formatBytes(bytes / seconds)}/s`;
  console.log(`${path}: ${name} ${dtype}, ${what}, ${formatBytes(bytes)}, ${rate}`);
}

async function write(name: FamilyName, outDir: string, options: Options, progress: WriteProgress): Promise<Written> {
  const { layout, dtype, lora, pipeline } = options;
  if (pipeline && lora !== undefined) throw new Error('--lora is of the UNet alone, leave out --pipeline');
  if (pipeline) {
    const plan = await familyPipeline(name);
    const what = `a pipeline of ${millions(parametersOf(plan))} parameters`;
    return { ...(await writePipeline(outDir, plan, { layout, dtype }, progress)), what };
  }
  const { config, tensors, parameters } = await readFamily(name);
  if (lora === undefined) {
    const written = await writeCheckpoint(outDir, { config, tensors, layout, dtype }, progress);
    return { ...written, what: `${millions(parameters)} parameters` };
  }
  const plan = { tensors, names: layout, rank: checkRank(lora), dtype };
  return { ...(await writeLora(outDir, plan, progress)), what: `a LoRA of rank ${lora}` };
}

function millions(count: number): string {
  return `${(count / 1e6).toFixed(1)} M`;
}

function checkRank(rank: number): number {
  if (Number.isInteger(rank) && rank >= 1) return rank;
  throw new Error(`--lora takes a rank of 1 or more, got ${rank}`);
}

main().catch((error: unknown) => {
  process.stderr.write(`generate-checkpoint: ${messageOf(error)}\n`);
  process.exitCode = 1;
});
