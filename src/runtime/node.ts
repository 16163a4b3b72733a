import { freemem } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ModelSource } from '../models/index.ts';
import { openStore } from '../models/node.ts';
import { type BackendOptions, type ChosenBackend, chooseBackend as chooseAmong } from './backend.ts';
import { type ControlNet, loadControlNetOn } from './control-net.ts';
import { type LoadModelOptions, loadModelOn, type Platform } from './load-model.ts';
import { type LoadOptions, loadUNetOn } from './load-unet.ts';
import type { LoadedModel } from './loaded-model.ts';
import { NODE_BACKENDS } from './native-backends.ts';
import type { UNet } from './unet.ts';

/** Places and backends of Node, native first. */
export const NODE_PLATFORM: Platform = { openStore, backends: NODE_BACKENDS, freeMemory, releaseMemory };

/** A container may have less than the machine; the first releases of Node 20 know the machine alone. */
function freeMemory(): number {
  return process.availableMemory?.() ?? freemem();
}

/**
 * Weights that TensorFlow shares are the garbage collector's to free, which does not know that gigabytes hang on a few small
 * objects: without this the next model is loaded beside the one before.
 */
function releaseMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect();
}

/**
 * Loads a TF.js graph model of any kind in Node: a text encoder, a VAE, a network of the caller's own. It takes and gives
 * tensors by the names of its signature; weights are streamed, one tensor at a time.
 *
 * @param source a folder with a model.json, the model.json itself, the URL of either, or a store of the caller's own
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`, `backend`, `bad-parameter`, `unsupported`
 */
export function loadModel(source: ModelSource, options: LoadModelOptions = {}): Promise<LoadedModel> {
  return loadModelOn(NODE_PLATFORM, source, options);
}

/**
 * Loads a UNet in Node. Weights are streamed, one tensor at a time; tfjs-node is not needed for it.
 *
 * @param source a folder with a model.json, the model.json itself, the URL of either, or a store of the caller's own
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`, `backend`, `bad-parameter`, `unsupported`
 */
export function loadUNet(source: ModelSource, options: LoadOptions = {}): Promise<UNet> {
  return loadUNetOn(NODE_PLATFORM, source, options);
}

/** Loads a ControlNet in Node, from the places that `loadUNet` takes. @throws SlothfulError as `loadUNet` does */
export function loadControlNet(source: ModelSource, options: LoadOptions = {}): Promise<ControlNet> {
  return loadControlNetOn(NODE_PLATFORM, source, options);
}

/** Makes the first of native, wasm and cpu that works TF.js's backend, or the one that is asked for. */
export function chooseBackend(options: BackendOptions = {}): Promise<ChosenBackend> {
  return chooseAmong(options, NODE_BACKENDS);
}
