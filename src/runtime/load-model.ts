import { GraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { BACKENDS } from '../backends/index.ts';
import { messageOf, SlothfulError } from '../errors.ts';
import { checkGraph, type Graph, isObject, loadedBytes, type Pass, type WeightSpec } from '../graph/index.ts';
import { registerAttentionOp, registerComposedKernels, repairKernels, setLogitsLimit } from '../kernels/index.ts';
import { isAddress, ModelFile, type ModelSource, type ModelStore, type UrlRequest } from '../models/index.ts';
import { passDefinitions, registerPass } from '../passes/index.ts';
import { type BackendCandidate, type BackendOptions, type ChosenBackend, chooseBackend } from './backend.ts';
import { checkKernels, lackingKernels } from './check-kernels.ts';
import { type LoadProgress, loadWeights, usedWeights } from './load-weights.ts';
import { LoadedModel } from './loaded-model.ts';
import { nativeTuning, registerNativeOps } from './native-tuning.ts';

/** How any model is loaded. */
export interface LoadModelOptions extends BackendOptions {
  /** Changes of the document, made in memory while it loads; the files stay as they are. */
  readonly passes?: readonly Pass[] | undefined;
  /** Most bytes of one logits tensor; for all models of the program. See `setLogitsLimit`. */
  readonly logitsLimit?: number | undefined;
  /** Told how far the weights are, in bytes. */
  readonly onProgress?: LoadProgress | undefined;
  /** Stops loading: nothing stays loaded then. */
  readonly signal?: AbortSignal | undefined;
}

/** What differs between browsers and Node: which places can be read and which backends there are. */
export interface Platform {
  openStore(source: string | URL, request?: UrlRequest): ModelStore | Promise<ModelStore>;
  readonly backends: readonly BackendCandidate[];
  /** Bytes of memory that are free on this machine; undefined where that cannot be told. */
  freeMemory?(): number;
  /** Gives back the memory of models that were disposed of, before another one is loaded. */
  releaseMemory?(): void;
}

/** WebAssembly's address space; past it the wasm backend overwrites its own memory without a word. */
const WASM_LIMIT = 2 ** 32;
/** What the activations of the smallest useful step take. */
const WASM_HEADROOM = 2 ** 28;

/**
 * Loads a model for a platform; `loadModel` of the package's entries is this with the platform filled in.
 *
 * @param source path or URL of a model, or an open store
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`, `backend`, `bad-parameter`, `unsupported`
 */
export async function loadModelOn(
  platform: Platform,
  source: ModelSource,
  options: LoadModelOptions = {},
): Promise<LoadedModel> {
  const file = await openModelOn(platform, source, options);
  await prepareGraph(file, options.passes ?? []);
  return startModel(platform, file, options);
}

/** Opens a model by path, by URL or in a store of the caller's own; no weights are read. */
export async function openModelOn(
  platform: Platform,
  source: ModelSource,
  { signal }: Pick<LoadModelOptions, 'signal'> = {},
): Promise<ModelFile> {
  return ModelFile.open(isAddress(source) ? await platform.openStore(source, signal && { signal }) : source);
}

/** Checks the document of an open model and applies passes to it. Returns it. */
export async function prepareGraph(file: ModelFile, passes: readonly Pass[]): Promise<Graph> {
  const { graph, place } = file;
  checkGraph(graph, `in ${place}`);
  refuseInitializer(graph, place);
  if (!passes.length) return graph;
  await file.loadConstants(graph);
  return graph.transform(...passes);
}

/**
 * Starts a backend, and refuses a model that it cannot hold or lacks a kernel for, before anything else is loaded.
 *
 * @returns the backend
 * @throws SlothfulError `backend` with the bytes needed and the limit, or where none works
 */
export async function checkFitsOn(
  platform: Platform,
  { graph, place }: Pick<ModelFile, 'graph' | 'place'>,
  options: BackendOptions,
): Promise<ChosenBackend> {
  const backend = await chooseBackend(options, platform.backends, lackingKernels(graph));
  guardBackend(graph, place);
  return backend;
}

function guardBackend(graph: Graph, place: string): void {
  guardMemory(usedWeights(graph, place), place);
  registerComposedKernels();
  repairKernels();
  checkKernels(graph, place);
}

/** Starts a backend and reads the weights of an open model whose document is ready to run. */
export async function startModel(platform: Platform, file: ModelFile, options: LoadModelOptions): Promise<LoadedModel> {
  const { place } = file;
  const backend = await checkFitsOn(platform, file, options);
  if (options.logitsLimit !== undefined) setLogitsLimit(options.logitsLimit);
  registerSlothfulOps();
  const graph = isNativeCPU(backend) ? await file.graph.clone().transform(nativeTuning()) : file.graph;
  const weights = await loadWeights(file, graph, options);
  try {
    return new LoadedModel({ graph, model: graphModelOf(graph, weights), place, backend });
  } catch (error) {
    tf.dispose(weights);
    if (error instanceof SlothfulError) throw error;
    throw new SlothfulError('bad-graph', place, `TF.js cannot take it (${messageOf(error)})`, 'export it again', {
      cause: error,
    });
  }
}

/**
 * Teaches TF.js the ops that passes put into graphs: the attention node, with the stages of every pass that is known, and
 * the convolution of `nativeTuning`. Call it before such a model is loaded with TF.js's own loaders (`loadModel` and
 * `loadUNet` do it themselves); calling it again changes nothing. The registry is TF.js's own, global by op name.
 */
export function registerSlothfulOps(): void {
  for (const definition of passDefinitions()) registerPass(definition);
  registerAttentionOp();
  registerNativeOps();
}

/** On the native backend without a GPU some ops are spelled in a faster way; all others run the graph as it is. */
function isNativeCPU({ tfjsName, device }: ChosenBackend): boolean {
  return tfjsName === BACKENDS.native.tfjsName && device === 'CPU';
}

/**
 * A TF.js model of a document and its weights. The tensors become the model's, which disposes of them.
 *
 * TF.js's own loaders hold every weight up to three times while they decode it; here the tensors are made before (see
 * `loadWeights`), and the model is given them in the place of its decoder. The signature is left out: nodes are fed and
 * read by their own names.
 */
function graphModelOf(graph: Graph, weights: tf.NamedTensorMap): GraphModel<tf.io.IOHandlerSync> {
  const artifacts: tf.io.ModelArtifacts = { modelTopology: graph.topology() };
  const decoder = { ...tf.io, decodeWeights: () => weights };
  const model = new GraphModel<tf.io.IOHandlerSync>({ load: () => artifacts }, {}, decoder);
  model.load();
  return model;
}

/** Refuses models that fill hash tables before they run. @throws SlothfulError `unsupported` */
function refuseInitializer(graph: Graph, place: string): void {
  const initializer = graph.extras.modelInitializer;
  if (isObject(initializer) && Array.isArray(initializer.node) && initializer.node.length) {
    throw new SlothfulError('unsupported', place, 'has an initializer (hash tables), which is not built');
  }
}

/** What the weights of a model take on a backend, and what that leaves for an evaluation. */
export interface WeightRoom {
  readonly weightBytes: number;
  /** Undefined where nobody can tell: in browsers, on a GPU. */
  readonly freeBytes: number | undefined;
}

/**
 * Tells how much memory a backend leaves for the evaluation of a model that is not loaded yet.
 *
 * @throws SlothfulError `bad-model` for a graph whose weights are not listed
 */
export function weightRoom(
  platform: Platform,
  { graph, place }: Pick<ModelFile, 'graph' | 'place'>,
  { tfjsName, device }: ChosenBackend,
): WeightRoom {
  const weights = usedWeights(graph, place);
  const loaded = sum(weights);
  if (tfjsName === BACKENDS.wasm.tfjsName) {
    const weightBytes = loaded + packedBytes(weights);
    return { weightBytes, freeBytes: WASM_LIMIT - weightBytes };
  }
  const free = device === 'CPU' ? platform.freeMemory?.() : undefined;
  return { weightBytes: loaded, freeBytes: free === undefined ? undefined : free - loaded };
}

/**
 * Refuses a model that the running backend cannot hold, before any weight is read.
 *
 * @throws SlothfulError `backend` with the bytes needed and the limit
 */
export function guardMemory(weights: readonly WeightSpec[], place: string): void {
  if (tf.getBackend() !== BACKENDS.wasm.tfjsName) return;
  const loaded = sum(weights);
  const packed = packedBytes(weights);
  if (loaded + packed + WASM_HEADROOM <= WASM_LIMIT) return;
  throw new SlothfulError(
    'backend',
    place,
    `needs ${gib(loaded)} of weights, kept twice on wasm (${gib(loaded + packed)}), and wasm has 4 GiB in all`,
    'use the native backend (npx slothful setup-native) or --backend cpu, which is slow',
  );
}

/** On wasm a weight of a matrix product or a convolution is kept twice: as loaded, and packed for XNNPACK at its first use. */
function packedBytes(weights: readonly WeightSpec[]): number {
  return sum(weights.filter(({ shape }) => shape.length >= 2));
}

function sum(weights: readonly WeightSpec[]): number {
  return weights.reduce((total, weight) => total + loadedBytes(weight), 0);
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
