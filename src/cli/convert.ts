import type { Argv } from 'yargs';
import { type ConvertSummary, convertCheckpoint } from '../../converters/index.ts';
import { defineCommand } from './define-command.ts';
import { readJson } from './parameter-flags.ts';
import { startProgress } from './progress.ts';
import { formatBytes } from './table.ts';

const DTYPES = ['auto', 'float16', 'float32'] as const;
const DATA_SPACES = ['latent', 'premultiplied-rgba'] as const;

function options(cli: Argv<object>) {
  return cli
    .positional('checkpoint', {
      type: 'string',
      demandOption: true,
      describe: 'diffusers UNet or pipeline folder, or a single .safetensors file',
    })
    .positional('model-dir', { type: 'string', demandOption: true, describe: 'folder for model.json and weights' })
    .option('dtype', { choices: DTYPES, default: 'auto' as const, describe: 'stored weights; auto keeps the dtype' })
    .option('config', { type: 'string', describe: 'diffusers config.json for what tensors cannot tell (heads)' })
    .option('variant', { type: 'string', describe: 'which variant of a folder to take, such as fp16' })
    .option('data-space', { choices: DATA_SPACES, default: 'latent' as const, describe: 'what the channels are' })
    .option('force', { type: 'boolean', default: false, describe: 'replace an existing model' })
    .option('json', { type: 'boolean', default: false, describe: 'print the summary as JSON' });
}

/** `slothful convert <checkpoint> <model-dir>` */
export const convertCommand = defineCommand({
  command: 'convert <checkpoint> <model-dir>',
  describe: 'turn a Stable Diffusion UNet checkpoint into a TF.js graph model',
  builder: options,
  async handler(argv) {
    const progress = startProgress('converting');
    try {
      const summary = await convertCheckpoint(argv.checkpoint, argv.modelDir, {
        dtype: argv.dtype,
        force: argv.force,
        dataSpace: argv.dataSpace,
        onProgress: ({ done, total }) => progress.update(done, total),
        ...(argv.config === undefined ? {} : { config: await readJson(argv.config) }),
        ...(argv.variant === undefined ? {} : { variant: argv.variant }),
      });
      progress.end();
      print(summary, argv.modelDir, argv.json);
    } finally {
      progress.end();
    }
  },
});

function print(summary: ConvertSummary, dir: string, json: boolean): void {
  if (json) {
    console.log(JSON.stringify({ ...summary, model: dir }, null, 2));
    return;
  }
  for (const note of summary.notes) console.error(`note: ${note}`);
  const { family, parameters, nodes, bytes, shards } = summary;
  const size = `${(parameters / 1e6).toFixed(1)} M parameters, ${nodes} nodes, ${formatBytes(bytes)} in ${shards} shard(s)`;
  console.log(`${dir}: ${family}, ${size}`);
}
