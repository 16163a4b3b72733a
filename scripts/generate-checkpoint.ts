import yargs from 'yargs';
import { startProgress } from '../src/cli/print/progress.ts';
import { messageOf } from '../src/errors.ts';
import { formatBytes } from '../src/pages/index.ts';
import { FAMILIES, readFamily } from './checkpoint/family.ts';
import { writeCheckpoint, writeLora } from './checkpoint/write-checkpoint.ts';

const LAYOUTS = ['diffusers', 'ldm'] as const;
const DTYPES = ['F16', 'BF16', 'F32'] as const;

function parse(args: readonly string[]) {
  return yargs([...args])
    .scriptName('generate-checkpoint')
    .usage('$0 <family> <out-dir>\n\nWrites a full-size Stable Diffusion UNet checkpoint with random weights.')
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
    .option('lora', { type: 'number', describe: 'write a LoRA of this rank for it instead' })
    .strict()
    .parseAsync();
}

/** `node --import tsx scripts/generate-checkpoint.ts <family> <out-dir> [--layout ldm] [--dtype BF16] [--lora 64]` */
async function main(): Promise<void> {
  const { family, outDir, layout, dtype, lora } = await parse(process.argv.slice(2));
  const name = FAMILIES.find((known) => known === family);
  if (name === undefined || typeof outDir !== 'string') throw new Error('name a family and a folder');
  const { config, tensors, parameters } = await readFamily(name);
  const progress = startProgress('generating');
  const start = performance.now();
  const { path, bytes } =
    lora === undefined
      ? await writeCheckpoint(outDir, { config, tensors, layout, dtype }, progress.update)
      : await writeLora(outDir, { tensors, names: layout, rank: checkRank(lora), dtype }, progress.update);
  progress.end();
  const seconds = (performance.now() - start) / 1000;
  const rate = `${formatBytes(bytes / seconds)}/s`;
  const what = lora === undefined ? `${(parameters / 1e6).toFixed(1)} M parameters` : `a LoRA of rank ${lora}`;
  console.log(`${path}: ${name} ${dtype}, ${what}, ${formatBytes(bytes)}, ${rate}`);
}

function checkRank(rank: number): number {
  if (Number.isInteger(rank) && rank >= 1) return rank;
  throw new Error(`--lora takes a rank of 1 or more, got ${rank}`);
}

main().catch((error: unknown) => {
  process.stderr.write(`generate-checkpoint: ${messageOf(error)}\n`);
  process.exitCode = 1;
});
