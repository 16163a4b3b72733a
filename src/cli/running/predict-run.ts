import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../../errors.ts';
import { loadUNet } from '../../node.ts';
import { type Field, printTable, tableOf } from '../../pages/index.ts';
import type { Layout, Prediction, SiteRecord, UNet, UNetInputs } from '../../runtime/index.ts';
import { writeSafetensors } from '../../tensors/node.ts';
import { makeTensors, readTensorValues } from '../files/tensor-file.ts';
import { type ParameterArguments, readParameters } from '../flags/parameter-flags.ts';

/** The arguments of `slothful predict`. */
export interface PredictArguments extends ParameterArguments {
  readonly model: string;
  readonly inputs: string;
  readonly out: string;
  readonly timestep: number | undefined;
  readonly sigma: number | undefined;
  readonly layout: Layout;
  readonly backend: 'native' | 'wasm' | 'cpu' | undefined;
  readonly json: boolean;
}

/** Evaluates a UNet once, from a file of tensors to a file of tensors. */
export async function predict(argv: PredictArguments): Promise<void> {
  const parameters = await readParameters(argv);
  const values = await readTensorValues(argv.inputs);
  const unet = await loadUNet(argv.model, {
    backend: argv.backend,
    slothful: parameters,
    log: (line) => console.error(line),
  });
  const tensors = makeTensors(values);
  try {
    const inputs = namedInputs(tensors, argv.timestep, argv.inputs);
    const prediction = unet.predict(inputs, { layout: argv.layout, sigma: argv.sigma });
    await save(argv.out, prediction.out_sample);
    print(unet, prediction, { out: argv.out, layout: argv.layout, json: argv.json });
  } finally {
    tf.dispose([...tensors.values()]);
    unet.dispose();
  }
}

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

const SITE_FIELDS: readonly Field<SiteRecord>[] = [
  { key: 'id', title: 'site', of: ({ id }) => id },
  { key: 'tokens', title: 'tokens', unit: 'count', of: ({ tokens }) => tokens },
  { key: 'kv_tokens', title: 'K/V tokens', unit: 'count', of: ({ kvTokens }) => kvTokens },
  { key: 'pooled', title: '', of: ({ pooled }) => (pooled ? 'pooled' : 'as it is') },
];

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
  const table = tableOf('sites', 'self-attentions', SITE_FIELDS, sites);
  console.log(sites.length ? printTable(table) : 'the model is not patched: no K/V tokens to report');
  console.log(`${out}: out_sample [${out_sample.shape.join(', ')}] ${layout}`);
}
