import yargs from 'yargs';
import { startProgress } from '../src/cli/print/progress.ts';
import { messageOf } from '../src/errors.ts';
import { formatBytes } from '../src/report/index.ts';
import { FAMILIES, readFamily } from './checkpoint/family.ts';
import { writeCheckpoint } from './checkpoint/write-checkpoint.ts';

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
    .strict()
    .parseAsync();
}

/** `node --import tsx scripts/generate-checkpoint.ts <family> <out-dir> [--layout ldm] [--dtype BF16]` */
async function main(): Promise<void> {
  const { family, outDir, layout, dtype } = await parse(process.argv.slice(2));
  const name = FAMILIES.find((known) => known === family);
  if (name === undefined || typeof outDir !== 'string') throw new Error('name a family and a folder');
  const { config, tensors, parameters } = await readFamily(name);
  const progress = startProgress('generating');
  const start = performance.now();
  const { path, bytes } = await writeCheckpoint(outDir, { config, tensors, layout, dtype }, progress.update);
  progress.end();
  const seconds = (performance.now() - start) / 1000;
  const rate = `${formatBytes(bytes / seconds)}/s`;
  console.log(
    `${path}: ${name} ${dtype}, ${(parameters / 1e6).toFixed(1)} M parameters, ${formatBytes(bytes)}, ${rate}`,
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`generate-checkpoint: ${messageOf(error)}\n`);
  process.exitCode = 1;
});
