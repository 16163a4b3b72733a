import type { Graph, Pass } from '../graph/index.ts';
import type { ModelSource } from '../models/index.ts';
import {
  appliedPasses,
  controlNetInputs,
  type PassDefinition,
  readSlothfulMetadata,
  registerPass,
  type SlothfulHook,
  type SlothfulOptions,
  slothful,
} from '../passes/index.ts';
import { type LoadModelOptions, openModelOn, type Platform, prepareGraph, startModel } from './load-model.ts';
import type { TimestepSinusoid } from './timestep-embedding.ts';
import { UNet, type UNetParts } from './unet.ts';
import { type InputNames, unetInputs, unetOutput } from './unet-inputs.ts';

/** How a UNet is loaded. */
export interface LoadOptions extends LoadModelOptions {
  /**
   * Slothful Attention's parameters: a plain model is patched in memory while it loads; one that is patched already gets
   * these parameters. `true`: the defaults, or those that a patched model records. Without, a model is used as it is.
   */
  readonly slothful?: SlothfulOptions | true | undefined;
  /** Passes of the caller's own that the model may have been patched with: they are known by their names from now on. */
  readonly use?: readonly PassDefinition[] | undefined;
  /**
   * Adds inputs for the residuals of ControlNets: `down_block_res_0`, ... and `mid_block_res`, [B, h, w, C], each added to
   * what the UNet has there. What is not fed is 0.
   */
  readonly controlNet?: boolean | undefined;
  /** Decides every site's strides before a step, in the place of the default one. */
  readonly hook?: SlothfulHook | undefined;
  /** Names of the model's inputs where they cannot be told. */
  readonly inputNames?: InputNames | undefined;
  /** How the model makes an embedding of the timestep, where it takes one and it is not KerasCV's. */
  readonly timestepInput?: TimestepSinusoid | undefined;
  /** Name of the model's output where it has several and none is called `out_sample`. */
  readonly outputName?: string | undefined;
}

/**
 * Loads a UNet for a platform; `loadUNet` of the package's entries is this with the platform filled in.
 *
 * @param source path or URL of a model, or an open store
 * @throws SlothfulError as `loadModelOn`; `bad-input` where the output cannot be told
 */
export async function loadUNetOn(platform: Platform, source: ModelSource, options: LoadOptions = {}): Promise<UNet> {
  const outputOf = (graph: Graph, place: string) => unetOutput(graph, options.outputName, place);
  const { output, ...parts } = await loadRolesOn(platform, source, options, outputOf);
  return new UNet({ ...parts, output });
}

/**
 * Loads a model that has a UNet's inputs, with what the options ask for put in.
 *
 * @param outputOf tells the model's outputs, or refuses it, before anything is read but the document
 */
export async function loadRolesOn<Output>(
  platform: Platform,
  source: ModelSource,
  options: LoadOptions,
  outputOf: (graph: Graph, place: string) => Output,
): Promise<Omit<UNetParts, 'output'> & { readonly output: Output }> {
  for (const definition of options.use ?? []) registerPass(definition, 'use');
  const file = await openModelOn(platform, source, options);
  const { place } = file;
  const output = outputOf(file.graph, place);
  const graph = await prepareGraph(file, passesOf(file.graph, place, options));
  const patch = appliedPasses(graph, place);
  const owned = patch ? [patch.control, ...patch.passes.flatMap((pass) => pass.inputs.map(({ name }) => name))] : [];
  const inputs = unetInputs(graph, options.inputNames ?? {}, owned, place, options.timestepInput);
  const model = await startModel(platform, file, options);
  return { model, inputs, output, patch, hook: options.hook };
}

/** The passes that the options ask for: our own first, then the caller's. */
function passesOf(graph: Graph, place: string, { slothful: parameters, controlNet, passes = [] }: LoadOptions): Pass[] {
  const isPatched = readSlothfulMetadata(graph.metadata, place) !== undefined;
  const patches = parameters !== undefined && !(parameters === true && isPatched);
  return [
    ...(patches ? [slothful(parameters === true ? {} : parameters)] : []),
    ...(controlNet ? [controlNetInputs()] : []),
    ...passes,
  ];
}
