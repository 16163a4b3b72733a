import * as tf from '@tensorflow/tfjs-core';
import type { Argv } from 'yargs';
import { writeSafetensors } from '../../converters/safetensors/write.ts';
import { SlothfulError } from '../errors.ts';
import { loadUNet } from '../node.ts';
import type { Layout, Prediction, UNet, UNetInputs } from '../runtime/index.ts';
import { withBackendFlag } from './backend-flag.ts';
import { defineCommand } from './define-command.ts';
import { readParameters, withParameterFlags } from './parameter-flags.ts';
import { textTable } from './table.ts';
import { readTensors } from './tensor-file.ts';

const LAYOUTS = ['nchw', 'nhwc'] as const;

function options(cli: Argv<object>) {
  return withParameterFlags(
    withBackendFlag(
      cli
        .positional('model', { type: 'string', demandOption: true, describe: 'converted model, patched or plain' })
        .option('inputs', {
          type: 'string',
          demandOption: true,
          describe: 'safetensors file, names as diffusers has them',
        })
        .option('out', { type: 'string', demandOption: true, describe: 'safetensors file for out_sample' })
        .option('timestep', { type: 'number', describe: 'timestep, where the inputs have none' })
        .option('sigma', { type: 'number', describe: 'noise level of the step, where it is not that of the timestep' })
        .option('layout', { choices: LAYOUTS, default: 'nchw' as const, describe: 'order of the axes in the files' })
        .option('json', { type: 'boolean', default: false, describe: 'print K/V tokens as JSON' }),
    ),
  );
}

/** `slothful predict <model> --inputs in.safetensors --timestep 601 --out out.safetensors [parameters]` */
export const predictCommand = defineCommand({
  command: 'predict <model>',
  describe: 'evaluate a UNet once, from tensors to tensors',
  builder: options,
  async handler(argv) {
    const parameters = await readParameters(argv);
    const tensors = await readTensors(argv.inputs);
    const unet = await loadUNet(argv.model, {
      backend: argv.backend,
      slothful: parameters,
      log: (line) => console.error(line),
    });
    try {
      const inputs = namedInputs(tensors, argv.timestep, argv.inputs);
      const prediction = unet.predict(inputs, { layout: argv.layout, sigma: argv.sigma });
      await save(argv.out, prediction.out_sample);
      print(unet, prediction, { out: argv.out, layout: argv.layout, json: argv.json });
    } finally {
      tf.dispose([...tensors.values()]);
      unet.dispose();
    }
  },
});

function namedInputs(tensors: ReadonlyMap<string, tf.Tensor>, timestep: number | undefined, place: string): UNetInputs {
  const { sample, ...rest } = Object.fromEntries(tensors);
  if (!sample)
    throw new SlothfulError('bad-input', place, 'has no tensor "sample"', 'name the tensors as diffusers does');
  return { ...rest, ...(timestep === undefined ? {} : { timestep }), sample };
}

async function save(path: string, tensor: tf.Tensor): Promise<void> {
  const data = await tensor.data();
  await writeSafetensors(path, new Map([['out_sample', { shape: tensor.shape, data: Float32Array.from(data) }]]));
}

function print(
  unet: UNet,
  { sites, out_sample }: Prediction,
  to: { out: string; layout: Layout; json: boolean },
): void {
  const { out, layout, json } = to;
  if (json) {
    const { parameters, backend } = unet;
    console.log(
      JSON.stringify({ out, layout, shape: out_sample.shape, backend: backend.name, parameters, sites }, null, 2),
    );
    return;
  }
  const rows = sites.map((site) => [site.id, site.tokens, site.kvTokens, site.pooled ? 'pooled' : 'as it is']);
  const columns = [{ title: 'site' }, number('tokens'), number('K/V tokens'), { title: '' }];
  console.log(rows.length ? textTable(columns, rows) : 'the model is not patched: no K/V tokens to report');
  console.log(`${out}: out_sample [${out_sample.shape.join(', ')}] ${layout}`);
}

function number(title: string) {
  return { title, align: 'right' as const };
}
