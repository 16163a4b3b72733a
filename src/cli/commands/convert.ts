import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Argv } from 'yargs';
import {
  type ConvertControlNetOptions,
  type ConvertPipelineOptions,
  type ConvertSummary,
  checkpointKind,
  convertControlNet,
  convertPipeline,
  PARTS,
  type PipelineSummary,
  parseLoraOption,
} from '../../../converters/index.ts';
import { SlothfulError } from '../../errors.ts';
import { readForeignJson } from '../../models/node.ts';
import { formatBytes } from '../../pages/index.ts';
import { PREDICTION_TYPES } from '../../sampling/index.ts';
import { defineCommand } from '../define-command.ts';
import { printJson, printLine } from '../printer.ts';
import { printNote, startProgress } from '../terminal.ts';

const DTYPES = ['auto', 'float16', 'float32'] as const;
const DATA_SPACES = ['latent', 'premultiplied-rgba'] as const;
const COMPANIONS = 'Companions:';
const SAMPLING = 'Sampling:';
const CONTROLNET = 'ControlNet:';
const PIPELINE = 'Parts of a pipeline:';

function options(cli: Argv<object>) {
  return cli
    .positional('checkpoint', {
      type: 'string',
      demandOption: true,
      describe: 'diffusers UNet, ControlNet or pipeline folder, or a single .safetensors file',
    })
    .positional('model-dir', { type: 'string', demandOption: true, describe: 'folder for model.json and weights' })
    .option('dtype', { choices: DTYPES, default: 'auto' as const, describe: 'stored weights; auto keeps the dtype' })
    .option('config', {
      type: 'string',
      describe: 'config.json for what tensors cannot tell (heads), or a diffusers folder',
    })
    .option('only', {
      choices: PARTS,
      array: true,
      nargs: 1,
      group: PIPELINE,
      describe: 'only this part; repeatable. unet alone is written as a model by itself',
    })
    .option('vae', { type: 'string', group: PIPELINE, describe: 'take this VAE: a folder or .safetensors file' })
    .option('taesd', { type: 'string', group: PIPELINE, describe: 'add this TAESD: a folder or .safetensors file' })
    .option('global-pool', {
      type: 'boolean',
      group: CONTROLNET,
      describe: 'average residuals over the picture, as shuffle does; by default what its config says, or its name',
    })
    .option('base', {
      type: 'string',
      group: CONTROLNET,
      describe: 'checkpoint of the UNet that a ControlNet of differences is added to',
    })
    .option('prediction-type', {
      choices: PREDICTION_TYPES,
      group: SAMPLING,
      describe: "what the model answers; by default what its files say, else the family's",
    })
    .option('zero-snr', {
      type: 'boolean',
      group: SAMPLING,
      describe: 'it was trained with zero terminal SNR; by default what its files say',
    })
    .option('variant', { type: 'string', describe: 'which variant of a folder to take, such as fp16' })
    .option('data-space', { choices: DATA_SPACES, default: 'latent' as const, describe: 'what the channels are' })
    .option('lora', {
      type: 'string',
      array: true,
      nargs: 1,
      group: COMPANIONS,
      describe: 'fuse file.safetensors:scale, or the folder of one; repeatable',
    })
    .option('lora-partial', { type: 'boolean', default: false, group: COMPANIONS, describe: 'fuse only what fits' })
    .option('ip-adapter', { type: 'string', group: COMPANIONS, describe: 'add the image attention of this file' })
    .option('force', {
      type: 'boolean',
      default: false,
      describe: 'replace an existing model, if nothing else is in its folder',
    })
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
    const config = await readConfig(argv.config);
    const variant = argv.variant === undefined ? {} : { variant: argv.variant };
    const { dtype, force, dataSpace, only, vae, taesd, predictionType, zeroSnr, globalPool, base } = argv;
    const summary = await convert(argv.checkpoint, argv.modelDir, {
      dtype,
      force,
      inputs: argv.config === undefined ? [] : [argv.config],
      dataSpace,
      only,
      vae,
      taesd,
      globalPool,
      base,
      sampling: {
        ...(predictionType === undefined ? {} : { prediction_type: predictionType }),
        ...(zeroSnr === undefined ? {} : { zero_snr: zeroSnr }),
      },
      ...companions,
      ...config,
      ...variant,
    });
    print(summary, argv.modelDir, argv.json);
  },
});

/** A folder's configs are those of a pipeline's parts, or of a UNet by itself. */
async function readConfig(path: string | undefined): Promise<Pick<ConvertPipelineOptions, 'config' | 'configFolder'>> {
  if (path === undefined) return {};
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return { config: await readForeignJson(path) };
  const own = join(path, 'config.json');
  return existsSync(own) ? { config: await readForeignJson(own) } : { configFolder: path };
}

async function convert(
  source: string,
  dir: string,
  options: ConvertPipelineOptions & ConvertControlNetOptions,
): Promise<ConvertSummary | PipelineSummary> {
  const { only } = options;
  // What is asked for by name need not have a UNet beside it.
  const isPart = only !== undefined && !only.includes('unet');
  const kind = isPart ? 'unet' : await checkpointKind(source, options.variant);
  const progress = startProgress('converting');
  const shared = {
    ...options,
    onProgress: ({ done, total }: { done: number; total: number }) => progress.update(done, total),
  };
  try {
    if (kind === 'unet') {
      refuseControlNets(source, options);
      return await convertPipeline(source, dir, shared);
    }
    refuseCompanions(source, options);
    return await convertControlNet(source, dir, shared);
  } finally {
    progress.end();
  }
}

function refuseControlNets(source: string, { globalPool, base }: ConvertControlNetOptions): void {
  const given = { '--global-pool': globalPool, '--base': base };
  const [flag] = Object.entries(given).find(([, value]) => value !== undefined) ?? [];
  if (flag === undefined) return;
  throw new SlothfulError('usage', flag, `is for ControlNets, and ${source} is a UNet`, 'convert it without');
}

function refuseCompanions(source: string, options: ConvertPipelineOptions): void {
  const { lora = [], ipAdapter, only, vae, taesd, configFolder, sampling } = options;
  const parts = { '--only': only, '--vae': vae, '--taesd': taesd, '--config': configFolder };
  const asked = { '--prediction-type': sampling?.prediction_type, '--zero-snr': sampling?.zero_snr };
  const given = { '--lora': lora.length > 0, '--ip-adapter': ipAdapter, ...parts, ...asked };
  const [flag] = Object.entries(given).find(([, value]) => value !== undefined && value !== false) ?? [];
  if (flag === undefined) return;
  throw new SlothfulError('usage', flag, `is for UNets, and ${source} is a ControlNet`, 'convert it without');
}

function print(summary: ConvertSummary | PipelineSummary, dir: string, json: boolean): void {
  for (const note of summary.notes) printNote(note);
  if (json) {
    printJson({ ...summary, model: dir });
    return;
  }
  if (summary.kind === 'pipeline') {
    for (const line of pipelineLines(summary, dir)) printLine(line);
    return;
  }
  const { kind, family, parameters, nodes, bytes, shards } = summary;
  const size = `${(parameters / 1e6).toFixed(1)} M parameters, ${nodes} nodes, ${formatBytes(bytes)} in ${shards} shard(s)`;
  printLine(`${dir}: ${family} ${kind === 'unet' ? 'UNet' : 'ControlNet'}, ${size}`);
}

function pipelineLines({ family, parts, tokenizers, parameters, bytes }: PipelineSummary, dir: string): string[] {
  const what = family === undefined ? 'parts of a pipeline' : `${family} pipeline`;
  const all = Object.entries(parts).map(([name, part]) => {
    const size = `${(part.parameters / 1e6).toFixed(1)} M parameters, ${part.nodes} nodes, ${formatBytes(part.bytes)}`;
    return `  ${name}: ${size}`;
  });
  const total = `${(parameters / 1e6).toFixed(1)} M parameters, ${formatBytes(bytes)}`;
  return [`${dir}: ${what}, ${total}`, ...all, ...tokenizers.map((name) => `  ${name}`)];
}
