import { checkGraph, type Graph, type Pass } from '../graph/index.ts';
import { registerSlothfulOps, setLogitsLimit } from '../kernels/index.ts';
import { ModelFile, type ModelStore } from '../models/index.ts';
import { controlNetInputs, slothful } from '../passes/index.ts';
import { readSlothfulMetadata, type SlothfulOptions } from '../passes/slothful/index.ts';
import { type BackendCandidate, type BackendOptions, type ChosenBackend, chooseBackend } from './backend.ts';
import type { SlothfulHook } from './hook.ts';
import { graphModelOf, refuseInitializer } from './load-graph-model.ts';
import { type LoadProgress, loadWeights, usedWeights } from './load-weights.ts';
import { guardMemory } from './memory-guard.ts';
import { type InputNames, modelInputs } from './model-inputs.ts';
import { modelOutput } from './model-output.ts';
import { type NativeTuning, tuneForNative } from './native-tuning.ts';
import { UNet, type UNetParts } from './unet.ts';

/** How a UNet is loaded. */
export interface LoadOptions extends BackendOptions {
  /**
   * Slothful Attention's parameters: a plain model is patched in memory while it loads; one that is patched already gets
   * these parameters. `true`: the defaults, or those that a patched model records. Without, a model is used as it is.
   */
  readonly slothful?: SlothfulOptions | true | undefined;
  /**
   * Adds inputs for the residuals of ControlNets: `down_block_res_0`, ... and `mid_block_res`, [B, h, w, C], each added to
   * what the UNet has there. What is not fed is 0.
   */
  readonly controlNet?: boolean | undefined;
  /** Decides every site's strides before a step, in the place of the default one. */
  readonly hook?: SlothfulHook | undefined;
  /** Most bytes of one logits tensor; for all models of the program. See `setLogitsLimit`. */
  readonly logitsLimit?: number | undefined;
  /** Names of the model's inputs where they cannot be told. */
  readonly inputNames?: InputNames | undefined;
  /** Name of the model's output where it has several and none is called `out_sample`. */
  readonly outputName?: string | undefined;
  /** Told how far the weights are, in bytes. */
  readonly onProgress?: LoadProgress | undefined;
}

/** What differs between browsers and Node: which places can be read and which backends there are. */
export interface Platform {
  openStore(source: string): ModelStore | Promise<ModelStore>;
  readonly backends: readonly BackendCandidate[];
}

/** A model in memory, and what its document says of how to run it. */
export interface LoadedModel extends Omit<UNetParts, 'output'> {
  readonly graph: Graph;
}

/** Opens a model by path, by URL or in a store of the caller's own; no weights are read. */
export async function openModelOn(platform: Platform, source: string | ModelStore): Promise<ModelFile> {
  return ModelFile.open(typeof source === 'string' ? await platform.openStore(source) : source);
}

/**
 * Loads an open model for a platform, with what the options ask for put in.
 *
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`, `backend`, `bad-parameter`, `unsupported`
 */
export async function loadModelOn(platform: Platform, file: ModelFile, options: LoadOptions): Promise<LoadedModel> {
  const { place } = file;
  const graph = await prepareGraph(file, options);
  const metadata = readSlothfulMetadata(graph.metadata, place);
  const inputs = modelInputs(graph, options.inputNames ?? {}, metadata?.control, place);
  const backend = await chooseBackend(options, platform.backends);
  guardMemory(usedWeights(graph, place), place);
  if (options.logitsLimit !== undefined) setLogitsLimit(options.logitsLimit);
  registerSlothfulOps();
  const tuned = tuningOf(graph, backend);
  const weights = await loadWeights(file, tuned, options.onProgress);
  const model = graphModelOf(tuned.graph, weights);
  const patch = metadata && { metadata };
  return { model, place, inputs, graph, metadata: graph.metadata, backend, patch, hook: options.hook };
}

/**
 * Loads a UNet for a platform; `loadUNet` of the package's entries is this with the platform filled in.
 *
 * @param source path or URL of a model, or an open store
 * @throws SlothfulError as `loadModelOn`; `bad-input` where the output cannot be told
 */
export async function loadUNetOn(
  platform: Platform,
  source: string | ModelStore,
  options: LoadOptions = {},
): Promise<UNet> {
  const file = await openModelOn(platform, source);
  const output = modelOutput(file.graph, options.outputName, file.place);
  return new UNet({ ...(await loadModelOn(platform, file, options)), output });
}

/** On the native backend without a GPU some ops are spelled in a faster way; all others run the graph as it is. */
function tuningOf(graph: Graph, { tfjsName, device }: ChosenBackend): NativeTuning {
  return tfjsName === 'tensorflow' && device === 'CPU' ? tuneForNative(graph) : { graph, transposed: new Set() };
}

/** The graph to run: the model's own, checked, or with what the options ask for put in. */
async function prepareGraph(file: ModelFile, options: LoadOptions): Promise<Graph> {
  const { graph } = file;
  checkGraph(graph, `in ${file.place}`);
  refuseInitializer(graph, file.place);
  const isPatched = readSlothfulMetadata(graph.metadata, file.place) !== undefined;
  const passes: Pass[] = [];
  if (options.slothful !== undefined && !(options.slothful === true && isPatched)) {
    passes.push(slothful(options.slothful === true ? {} : options.slothful));
  }
  if (options.controlNet) passes.push(controlNetInputs());
  if (!passes.length) return graph;
  await file.loadConstants(graph);
  return graph.transform(...passes);
}
