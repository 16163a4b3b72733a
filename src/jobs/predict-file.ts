import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import { atomicFile, checkOutputFile, type FileOptions } from '../models/node.ts';
import { type PassParameters, passesInForce, passesOf, type SlothfulParameters } from '../passes/index.ts';
import {
  checkEvaluation,
  type ExecutedSite,
  executedSite,
  type OpenedModel,
  type RunChoices,
  resolveParameters,
} from '../pipeline/index.ts';
import {
  type BackendName,
  byInputNames,
  type Layout,
  type LoadProgress,
  loadUNetOn,
  type TimestepSinusoid,
  type UNetInput,
  type UNetInputs,
  unetInputs,
} from '../runtime/index.ts';
import { checkFinite, encodeSafetensors, type Float32Tensor, firstNonFinite } from '../tensors/index.ts';
import { openSafetensors } from '../tensors/node.ts';
import { isInputOf, type OnNote, readAsked } from './asked-tensors.ts';
import { openModel } from './folder-job.ts';
import { withPaths } from './local-files.ts';
import { makeTensors } from './read-inputs.ts';

/** What a prediction is called in files. */
const OUTPUT = 'out_sample';

/** One evaluation of a UNet, from a file of tensors to a file of tensors. */
export interface PredictJob extends Pick<RunChoices, 'parameters' | 'passes'> {
  readonly model: string;
  /** Safetensors file of the inputs, under the names that diffusers gives them. */
  readonly inputs: string;
  /** Safetensors file for `out_sample`. */
  readonly out: string;
  /** Replace an earlier prediction there. */
  readonly force?: boolean | undefined;
  /** Other files that were read for it (parameters), which `out` may not be. */
  readonly alsoRead?: readonly string[] | undefined;
  /** Where the inputs have none. */
  readonly timestep?: number | undefined;
  /** Noise level of the step, where it is not that of the timestep. */
  readonly sigma?: number | undefined;
  /** How the model makes an embedding of the timestep, where it takes one and it is not KerasCV's. */
  readonly timestepInput?: TimestepSinusoid | undefined;
  /** The model's name of the output to write, where it has several; the file has it under that name. */
  readonly output?: string | undefined;
  /** Order of the axes in the files, default nchw. */
  readonly layout?: Layout | undefined;
  readonly backend?: BackendName | undefined;
  readonly onNote?: ((note: string) => void) | undefined;
  readonly log?: ((line: string) => void) | undefined;
  /** Told how far the weights are, in bytes. */
  readonly onProgress?: LoadProgress | undefined;
}

/** What one evaluation did, as `slothful predict --json` prints it. */
export interface PredictRecord {
  readonly out: string;
  readonly layout: Layout;
  /** Name of the tensor in it. */
  readonly output: string;
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
 * @throws SlothfulError `io`, `bad-checkpoint`, `bad-input`, `bad-parameter`, `bad-model`, `bad-graph`, `backend`, `exists`
 */
export async function predictFile(asked: PredictJob): Promise<PredictRecord> {
  const job = withPaths(asked);
  const { inputs, out, layout = 'nchw', sigma, backend, timestepInput, log } = job;
  const name = job.output ?? OUTPUT;
  const output = await outputOptions(job);
  await checkOutputFile(out, output);
  const model = await openModel(job.model);
  const known = unetInputs(model.graph, {}, [], job.model, timestepInput);
  const values = byOwnNames(await readInputs(inputs, model, job.onNote), known);
  for (const note of model.notes) job.onNote?.(note);
  const parameters = resolveParameters(model, job);
  const passes = passesInForce(model.graph.metadata, job.passes);
  const evaluation = { layout, backend, asNodes: parameters !== undefined, onNote: job.onNote };
  await checkEvaluation(model, { ...evaluation, shape: values.get('sample')?.shape ?? [] });
  const unet = await loadUNetOn(model.platform, model.file.store, {
    ...{ backend, slothful: parameters, passes: passesOf(passes), timestepInput, outputName: job.output, log },
    onProgress: job.onProgress,
  });
  const tensors = makeTensors(values);
  try {
    const { out_sample, sites } = unet.predict(namedInputs(tensors, job.timestep, inputs), { layout, sigma });
    const { shape } = out_sample;
    const data = Float32Array.from(await out_sample.data());
    out_sample.dispose();
    checkAnswer(data, job.model);
    await atomicFile(out, encodeSafetensors(new Map([[name, { shape, data }]]), MADE), output);
    return {
      ...{ out, layout, output: name, shape, backend: unet.backend.name, parameters: unet.parameters ?? null, passes },
      sites: sites.map((site) => {
        return { ...executedSite(site), logits_bytes: site.logitsBytes, pooled: site.pooled };
      }),
    };
  } finally {
    tf.dispose([...tensors.values()]);
    unet.dispose();
  }
}

/** The inputs' values. @throws SlothfulError `bad-input` for values that are no numbers, or none at all */
async function readInputs(path: string, model: OpenedModel, onNote: OnNote): Promise<Map<string, Float32Tensor>> {
  const { tensors } = await readAsked(path, isInputOf(model), onNote);
  for (const [name, { shape, data }] of tensors) {
    const place = `${path} tensor "${name}"`;
    checkFinite(data, place);
    if (data.length) continue;
    throw new SlothfulError('bad-input', place, `has the shape [${shape.join(', ')}], which holds no values`);
  }
  return tensors;
}

/** @throws SlothfulError `bad-model` where the answer is not finite, before anything is written */
function checkAnswer(data: Float32Array, model: string): void {
  const first = firstNonFinite(data);
  if (first < 0) return;
  const count = data.reduce((sum, value) => (Number.isFinite(value) ? sum : sum + 1), 0);
  const problem = `answers with ${count} of ${data.length} values that are NaN or infinite, value ${first} the first`;
  const cure = 'nothing was written: its weights hold such values, or the inputs are not what it was made for';
  throw new SlothfulError('bad-model', model, problem, cure);
}

/** What tells the predictions that this wrote: the next one may take their place. */
const MADE = { made_by: 'slothful predict' };

async function outputOptions(job: PredictJob): Promise<FileOptions> {
  const { model, inputs, out, output = OUTPUT, alsoRead = [] } = job;
  const there = await readPrediction(out);
  const force = job.force || (there?.isMarked === true && there.names.length === 1);
  const isOurs = async (path: string) => {
    const { names = [] } = (await readPrediction(path)) ?? {};
    return names.length === 1 && (names[0] === OUTPUT || names[0] === output);
  };
  return { force, inputs: [model, inputs, ...alsoRead], isOurs };
}

/** What a file of tensors holds; undefined where it is none. */
async function readPrediction(path: string): Promise<{ isMarked: boolean; names: string[] } | undefined> {
  const file = await openSafetensors(path).catch(() => undefined);
  await file?.close();
  const isMarked = file?.metadata.get('made_by') === MADE.made_by;
  return file && { isMarked, names: [...file.tensors.keys()] };
}

/** Tensors of a file, under the names of diffusers or of the model, by the names of the model's inputs. */
function byOwnNames(values: Map<string, Float32Tensor>, inputs: readonly UNetInput[]): Map<string, Float32Tensor> {
  return new Map(Object.entries(byInputNames(Object.fromEntries(values), inputs)));
}

function namedInputs(tensors: ReadonlyMap<string, tf.Tensor>, timestep: number | undefined, place: string): UNetInputs {
  const { sample, ...rest } = Object.fromEntries(tensors);
  if (!sample)
    throw new SlothfulError(
      'bad-input',
      place,
      'has no tensor "sample"',
      'name the tensors as diffusers or the model does',
    );
  return { ...rest, ...(timestep === undefined ? {} : { timestep }), sample };
}
