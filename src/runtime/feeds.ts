import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import { byInputNames } from './input-names.ts';
import { listOf, type ModelInput, shapeText } from './signature.ts';
import { timestepEmbeddings } from './timestep-embedding.ts';
import { canBeEmbedding, type UNetInput } from './unet-inputs.ts';

/** Tensors for a model under the names of its inputs; what has rank 0, or 1 element, may be a number. */
export interface NamedInputs {
  readonly [name: string]: tf.Tensor | number | undefined;
}

/** Tensors of one step, under the names of the inputs; a timestep and what else has rank 0 may be a number. */
export interface UNetInputs extends NamedInputs {
  /** Latent, [B, h, w, C], or [B, C, h, w] where the layout is nchw. */
  readonly sample: tf.Tensor;
  /** Number, or tensor [] or [B]. For models without such an input it tells the strides alone. */
  readonly timestep?: tf.Tensor | number | undefined;
  /** Text embedding, [B, T, C]. */
  readonly encoder_hidden_states?: tf.Tensor | undefined;
}

/** Order of the axes of the caller's rank-4 tensors; the models' own is nhwc. */
export type DataLayout = 'nhwc' | 'nchw';

/**
 * Checks inputs against a model's and makes them what it is fed, by node name. Run it in a `tf.tidy`.
 *
 * @throws SlothfulError `bad-input` naming the input, what it got and what it takes
 */
export function makeFeeds(inputs: NamedInputs, model: readonly ModelInput[]): tf.NamedTensorMap {
  checkNames(inputs, new Set(model.map(({ name }) => name)), model);
  return feedEach(inputs, model, (value, input) => {
    const takesNumber = typeof value === 'number' && (input.shape?.length ?? 2) <= 1;
    const tensor = takesNumber ? numberTensor(value, input, 1) : value;
    return checkTensor(tensor, input);
  });
}

/**
 * Checks a step's inputs against a UNet's and makes them what it is fed: by node name, channels last, the timestep of
 * the rank and type that the model has. Run it in a `tf.tidy`.
 *
 * @throws SlothfulError `bad-input` naming the input, what it got and what it takes
 */
export function makeUNetFeeds(inputs: UNetInputs, model: readonly UNetInput[], layout: DataLayout): tf.NamedTensorMap {
  checkNames(inputs, new Set(['timestep', ...model.map(({ name }) => name)]), model);
  const batch = batchOf(inputs.sample);
  return feedEach(withEmbedding(inputs, model, batch), model, (value, input) => {
    const takesNumber = (input.role === 'timestep' && !input.sinusoid) || input.shape?.length === 0;
    const given = takesNumber ? numberTensor(value, input, batch) : value;
    const isTurned = layout !== input.layout && typeof given !== 'number' && given.rank === 4;
    const tensor = checkTensor(isTurned ? turned(given, input.layout) : given, input, layout);
    checkBatch(tensor, input, batch);
    return tensor;
  });
}

/** A picture in another order of axes. */
export function turned<T extends tf.Tensor>(picture: T, to: DataLayout): T {
  return tf.transpose(picture, to === 'nhwc' ? [0, 2, 3, 1] : [0, 3, 1, 2]);
}

/**
 * A step's inputs under the names that `makeUNetFeeds` takes, of those under names of the model's own.
 *
 * @throws SlothfulError `bad-input` without a sample, or for two spellings of one input
 */
export function byRoles(given: NamedInputs, model: readonly UNetInput[]): UNetInputs {
  const inputs: NamedInputs = byInputNames(given, model);
  if (hasSample(inputs)) return inputs;
  throw wrong('sample', 'is missing', 'feed a tensor: the latent');
}

const hasSample = (inputs: NamedInputs): inputs is UNetInputs => inputs.sample instanceof tf.Tensor;

/** What a model takes in the place of the timestep, made of it where it is not given. */
function withEmbedding(inputs: UNetInputs, model: readonly UNetInput[], batch: number): NamedInputs {
  const { timestep } = inputs;
  const input = model.find(({ sinusoid }) => sinusoid);
  const width = input?.shape?.[1] ?? 0;
  if (!input?.sinusoid || timestep === undefined || inputs[input.name] !== undefined) return inputs;
  const given = typeof timestep === 'number' ? [timestep] : [...timestep.dataSync()];
  const count = input.shape?.[0] === 1 ? 1 : batch;
  const timesteps = given.length === 1 ? Array<number>(count).fill(given[0] ?? 0) : given;
  const embeddings = timestepEmbeddings(timesteps, width, input.sinusoid);
  return { ...inputs, [input.name]: tf.tensor(embeddings, [timesteps.length, width]) };
}

/** The number of a timestep, that of the first image where there are several. */
export function firstTimestep(timestep: tf.Tensor | number | undefined): number | undefined {
  return timestep instanceof tf.Tensor ? timestep.dataSync()[0] : timestep;
}

function feedEach<Input extends ModelInput>(
  inputs: NamedInputs,
  model: readonly Input[],
  feed: (value: tf.Tensor | number, input: Input) => tf.Tensor,
): tf.NamedTensorMap {
  const feeds: tf.NamedTensorMap = {};
  for (const input of model) {
    const value = inputs[input.name];
    if (value !== undefined) feeds[input.node] = feed(value, input);
    else if (!input.optional) throw wrong(input.name, 'is missing', `feed ${describe(input)}${embeddingHint(input)}`);
  }
  return feeds;
}

/** What a model of another maker may want in the place of a timestep. */
function embeddingHint(input: ModelInput): string {
  if (!canBeEmbedding(input)) return '';
  return '; where it is the embedding of the timestep, --timestep-input sinusoid:cos-sin or sinusoid:sin-cos makes it';
}

function checkNames(inputs: NamedInputs, known: ReadonlySet<string>, model: readonly ModelInput[]): void {
  for (const [name, value] of Object.entries(inputs)) {
    if (value === undefined) continue;
    if (!known.has(name)) throw wrong(name, 'is not an input of this model', `it has ${listOf(model)}`);
    if (typeof value !== 'number' && !(value instanceof tf.Tensor))
      throw wrong(name, `is not a tensor: ${String(value)}`);
  }
}

/** Callers without type checks may leave it out. */
function batchOf(sample: unknown): number {
  if (sample instanceof tf.Tensor) return sample.shape[0] ?? 1;
  throw wrong('sample', 'is missing', 'feed a tensor: the latent');
}

/** A timestep, or a scale, as the model takes it: one number, or one for every image. */
function numberTensor(value: tf.Tensor | number, input: ModelInput, batch: number): tf.Tensor {
  const given = typeof value === 'number' ? tf.scalar(value, 'float32') : value;
  if (input.dtype === 'int32' && given.dtype !== 'int32') checkWhole(given, input.name);
  const typed = given.dtype === input.dtype ? given : tf.cast(given, input.dtype);
  const rank = input.shape?.length ?? 1;
  if (typed.rank === rank || typed.size !== 1) return typed;
  if (rank === 0) return tf.reshape(typed, []);
  const count = input.shape?.[0] === 1 ? 1 : batch;
  if (rank === 2) return tf.fill([count, 1], typed.dataSync()[0] ?? 0, input.dtype);
  return typed.rank === 0 ? tf.fill([count], typed.dataSync()[0] ?? 0, input.dtype) : typed;
}

function checkWhole(number: tf.Tensor, name: string): void {
  const fraction = [...number.dataSync()].find((value) => !Number.isInteger(value));
  if (fraction !== undefined) throw wrong(name, `is ${fraction}, and this model takes whole numbers`, 'round it');
}

function checkTensor(tensor: tf.Tensor | number, input: ModelInput, layout?: DataLayout): tf.Tensor {
  const { name, shape, dtype } = input;
  if (typeof tensor === 'number') throw wrong(name, 'is a number', `feed a tensor: ${describe(input)}`);
  if (tensor.dtype !== dtype) throw wrong(name, `is ${tensor.dtype}, and the model takes ${dtype}`);
  if (tensor.size === 0) throw wrong(name, `has no elements: ${shapeText(tensor.shape)}`);
  if (shape && !fits(tensor.shape, shape)) {
    const problem = `is ${shapeText(tensor.shape)}, and the model takes ${shapeText(shape)}`;
    throw wrong(name, problem, hint(tensor, input, layout));
  }
  return tensor;
}

function checkBatch(tensor: tf.Tensor, { name, shape }: ModelInput, batch: number): void {
  const [first] = tensor.shape;
  const isForAll = first === batch || (tensor.rank === 1 && first === 1);
  if (tensor.rank < 1 || (shape?.[0] ?? -1) >= 0 || isForAll) return;
  throw wrong(name, `is for ${first} images (${shapeText(tensor.shape)}), and the sample has ${batch}`);
}

function fits(shape: readonly number[], wanted: readonly number[]): boolean {
  return shape.length === wanted.length && shape.every((dim, axis) => (wanted[axis] ?? -1) < 0 || wanted[axis] === dim);
}

/** Channels in the wrong place are the usual mistake. */
function hint(tensor: tf.Tensor, { shape }: ModelInput, layout: DataLayout | undefined): string | undefined {
  const [b = 0, h = 0, w = 0, c = 0] = tensor.shape;
  if (tensor.rank !== 4 || !shape) return undefined;
  if (layout === 'nhwc' && fits([b, w, c, h], shape)) return 'its channels come first: say layout "nchw"';
  if (layout === 'nchw' && fits([b, c, h, w], shape)) return 'its channels come last: say layout "nhwc"';
  return undefined;
}

function describe({ dtype, shape, name }: ModelInput): string {
  return `"${name}" ${dtype} ${shape ? shapeText(shape) : 'of any shape'}`;
}

function wrong(name: string, problem: string, cure?: string): SlothfulError {
  return new SlothfulError('bad-input', `input "${name}"`, problem, cure);
}
