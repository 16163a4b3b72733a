import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import { type PassParameters, passesInForce, passesOf, type SlothfulParameters } from '../passes/index.ts';
import { type ExecutedSite, executedSite, type RunChoices, resolveParameters } from '../pipeline/index.ts';
import type { BackendName, Layout, UNetInputs } from '../runtime/index.ts';
import { loadUNetOn } from '../runtime/index.ts';
import { writeSafetensors } from '../tensors/node.ts';
import { openModel } from './folder-job.ts';
import { makeTensors, readTensorValues } from './read-inputs.ts';

/** One evaluation of a UNet, from a file of tensors to a file of tensors. */
export interface PredictJob extends Pick<RunChoices, 'parameters' | 'passes'> {
  readonly model: string;
  /** Safetensors file of the inputs, under the names that diffusers gives them. */
  readonly inputs: string;
  /** Safetensors file for `out_sample`. */
  readonly out: string;
  /** Where the inputs have none. */
  readonly timestep?: number | undefined;
  /** Noise level of the step, where it is not that of the timestep. */
  readonly sigma?: number | undefined;
  /** Order of the axes in the files, default nchw. */
  readonly layout?: Layout | undefined;
  readonly backend?: BackendName | undefined;
  readonly onNote?: ((note: string) => void) | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/** What one evaluation did, as `slothful predict --json` prints it. */
export interface PredictRecord {
  readonly out: string;
  readonly layout: Layout;
  readonly shape: readonly number[];
  readonly backend: string;
  /** Slothful Attention's in force; null for a plain evaluation. */
  readonly parameters: SlothfulParameters | null;
  /** The other passes that act, with their parameters. */
  readonly passes: PassParameters;
  readonly sites: readonly PredictedSite[];
}

/** What one self-attention did. */
export interface PredictedSite extends ExecutedSite {
  /** Bytes of the largest single logits tensor. */
  readonly logits_bytes: number;
  /** True where keys and values were sampled or pooled. */
  readonly pooled: boolean;
}

/**
 * Evaluates a UNet once: the way to hold this toolkit against other frameworks.
 *
 * @throws SlothfulError `io`, `bad-checkpoint`, `bad-input`, `bad-parameter`, `bad-model`, `bad-graph`, `backend`
 */
export async function predictFile(job: PredictJob): Promise<PredictRecord> {
  const { inputs, out, layout = 'nchw', sigma, backend, log } = job;
  const values = await readTensorValues(inputs);
  const model = await openModel(job.model);
  for (const note of model.notes) job.onNote?.(note);
  const parameters = resolveParameters(model, job);
  const passes = passesInForce(model.graph.metadata, job.passes);
  const unet = await loadUNetOn(model.platform, model.file.store, {
    ...{ backend, slothful: parameters, passes: passesOf(passes), log },
  });
  const tensors = makeTensors(values);
  try {
    const { out_sample, sites } = unet.predict(namedInputs(tensors, job.timestep, inputs), { layout, sigma });
    const { shape } = out_sample;
    await writeSafetensors(out, new Map([['out_sample', { shape, data: Float32Array.from(await out_sample.data()) }]]));
    out_sample.dispose();
    return {
      ...{ out, layout, shape, backend: unet.backend.name, parameters: unet.parameters ?? null, passes },
      sites: sites.map((site) => {
        return { ...executedSite(site), logits_bytes: site.logitsBytes, pooled: site.pooled };
      }),
    };
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
