import type { Argv } from 'yargs';
import {
  type ConvertOptions,
  type ConvertSummary,
  checkpointKind,
  convertCheckpoint,
  convertControlNet,
  parseLoraOption,
} from '../../../converters/index.ts';
import { SlothfulError } from '../../errors.ts';
import { formatBytes } from '../../pages/index.ts';
import { defineCommand } from '../define-command.ts';
import { readJson } from '../flags/parameter-flags.ts';
import { startProgress } from '../print/progress.ts';

const DTYPES = ['auto', 'float16', 'float32'] as const;
const DATA_SPACES = ['latent', 'premultiplied-rgba'] as const;
const COMPANIONS = 'Companions:';

function options(cli: Argv<object>) {
  return cli
    .positional('checkpoint', {
      type: 'string',
      demandOption: true,
      describe: 'diffusers UNet, ControlNet or pipeline folder, or a single .safetensors file',
    })
    .positional('model-dir', { type: 'string', demandOption: true, describe: 'folder for model.json and weights' })
    .option('dtype', { choices: DTYPES, default: 'auto' as const, describe: 'stored weights; auto keeps the dtype' })
    .option('config', { type: 'string', describe: 'diffusers config.json for what tensors cannot tell (heads)' })
    .option('variant', { type: 'string', describe: 'which variant of a folder to take, such as fp16' })
    .option('data-space', { choices: DATA_SPACES, default: 'latent' as const, describe: 'what the channels are' })
    .option('lora', {
      type: 'string',
      array: true,
      nargs: 1,
      group: COMPANIONS,
      describe: 'fuse file.safetensors:scale; repeatable',
    })
    .option('lora-partial', { type: 'boolean', default: false, group: COMPANIONS, describe: 'fuse only what fits' })
    .option('ip-adapter', { type: 'string', group: COMPANIONS, describe: 'add the image attention of this file' })
    .option('force', { type: 'boolean', default: false, describe: 'replace an existing model' })
    .option('json', { type: 'boolean', default: false, describe: 'print the summary as JSON' });
}

/** `slothful convert <checkpoint> <model-dir>` */
export const convertCommand = defineCommand({
  builder: options,
  async handler(argv) {
    const { lora = [], loraPartial, ipAdapter } = argv;
    const companions = {
      lora: lora.map(parseLoraOption),
      loraPartial,
      ...(ipAdapter === undefined ? {} : { ipAdapter: { file: ipAdapter } }),
    };
    const config = argv.config === undefined ? {} : { config: await readJson(argv.config) };
    const variant = argv.variant === undefined ? {} : { variant: argv.variant };
    const { dtype, force, dataSpace } = argv;
    const summary = await convert(argv.checkpoint, argv.modelDir, {
      dtype,
      force,
      dataSpace,
      ...companions,
      ...config,
      ...variant,
    });
    print(summary, argv.modelDir, argv.json);
  },
});

async function convert(source: string, dir: string, options: ConvertOptions): Promise<ConvertSummary> {
  const kind = await checkpointKind(source, options.variant);
  const progress = startProgress('converting');
  const shared = {
    ...options,
    onProgress: ({ done, total }: { done: number; total: number }) => progress.update(done, total),
  };
  try {
    if (kind === 'unet') return await convertCheckpoint(source, dir, shared);
    refuseCompanions(source, options);
    return await convertControlNet(source, dir, shared);
  } finally {
    progress.end();
  }
}

function refuseCompanions(source: string, { lora = [], ipAdapter }: ConvertOptions): void {
  if (!lora.length && !ipAdapter) return;
  const flag = lora.length ? '--lora' : '--ip-adapter';
  throw new SlothfulError('usage', flag, `is for UNets, and ${source} is a ControlNet`, 'convert it without');
}

function print(summary: ConvertSummary, dir: string, json: boolean): void {
  for (const note of summary.notes) console.error(`note: ${note}`);
  if (json) {
    console.log(JSON.stringify({ ...summary, model: dir }, null, 2));
    return;
  }
  const { kind, family, parameters, nodes, bytes, shards } = summary;
  const size = `${(parameters / 1e6).toFixed(1)} M parameters, ${nodes} nodes, ${formatBytes(bytes)} in ${shards} shard(s)`;
  console.log(`${dir}: ${family} ${kind === 'unet' ? 'UNet' : 'ControlNet'}, ${size}`);
}
