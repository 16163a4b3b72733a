import { type ModelSource, openUrl } from '../models/index.ts';
import { WEB_BACKENDS } from './backend.ts';
import { type ControlNet, loadControlNetOn } from './control-net.ts';
import { type LoadModelOptions, loadModelOn, type Platform } from './load-model.ts';
import { type LoadOptions, loadUNetOn } from './load-unet.ts';
import type { LoadedModel } from './loaded-model.ts';
import type { UNet } from './unet.ts';

export {
  type ByteSource,
  type ModelSource,
  type ModelStore,
  openUrl,
  type PipelineStore,
  type UrlRequest,
  UrlStore,
} from '../models/index.ts';
export { defaultHook, type HookStep, type SlothfulHook } from '../passes/index.ts';
export {
  type BackendCandidate,
  type BackendName,
  type BackendOptions,
  type ChosenBackend,
  chooseBackend,
  type FailedBackend,
  type Unfit,
  WEB_BACKENDS,
} from './backend.ts';
export { lackingKernels } from './check-kernels.ts';
export { ControlNet, loadControlNetOn, type Residuals } from './control-net.ts';
export type { DataLayout, DataLayout as Layout, NamedInputs, UNetInputs } from './feeds.ts';
export { byInputNames } from './input-names.ts';
export {
  checkFitsOn,
  type LoadModelOptions,
  loadModelOn,
  type Platform,
  registerSlothfulOps,
  type WeightRoom,
  weightRoom,
} from './load-model.ts';
export { type LoadOptions, loadUNetOn } from './load-unet.ts';
export type { LoadProgress } from './load-weights.ts';
export { LoadedModel } from './loaded-model.ts';
export { nativeTuning } from './native-tuning.ts';
export { RunMemory } from './run-memory.ts';
export type { ModelInput, ModelOutput } from './signature.ts';
export { parseTimestepInput, type TimestepSinusoid } from './timestep-embedding.ts';
export { type Prediction, type PredictOptions, type SiteRecord, UNet } from './unet.ts';
export { type InputNames, type InputRole, type UNetInput, unetInputs } from './unet-inputs.ts';

/** Places and backends of browsers. */
export const WEB_PLATFORM: Platform = { openStore: openUrl, backends: WEB_BACKENDS };

/**
 * Loads a TF.js graph model of any kind (a text encoder, a VAE, a network of the caller's own), in browsers and anywhere
 * else that has `fetch`. It takes and gives tensors by the names of its signature; weights are streamed, one tensor at a
 * time.
 *
 * @param source URL of a model.json, of its folder or of a pipeline's (the UNet then), or a store of the caller's own (files
 *   that a user picked, a cache)
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`, `backend`, `bad-parameter`, `unsupported`
 */
export function loadModel(source: ModelSource, options: LoadModelOptions = {}): Promise<LoadedModel> {
  return loadModelOn(WEB_PLATFORM, source, options);
}

/**
 * Loads a UNet, in browsers and anywhere else that has `fetch`. Weights are streamed, one tensor at a time.
 *
 * In a browser the wasm backend needs to know where its `.wasm` files are served: call `setWasmPaths` of
 * `@tensorflow/tfjs-backend-wasm` first.
 *
 * @param source URL of a model.json, of its folder or of a pipeline's (the UNet then), or a store of the caller's own (files
 *   that a user picked, a cache)
 * @throws SlothfulError `io`, `bad-model`, `bad-graph`, `backend`, `bad-parameter`, `unsupported`
 */
export function loadUNet(source: ModelSource, options: LoadOptions = {}): Promise<UNet> {
  return loadUNetOn(WEB_PLATFORM, source, options);
}

/** Loads a ControlNet, from the places that `loadUNet` takes. @throws SlothfulError as `loadUNet` does */
export function loadControlNet(source: ModelSource, options: LoadOptions = {}): Promise<ControlNet> {
  return loadControlNetOn(WEB_PLATFORM, source, options);
}
