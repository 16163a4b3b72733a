import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import * as assert from 'uvu/assert';
import { decodeStored } from '../../src/tensors/index.ts';
import { fixturePath, readJson } from './fixtures.ts';
import { largestDifference } from './numbers.ts';
import { serveFolder } from './server.ts';
import { temporaryFolder } from './temporary.ts';
import { type RawTensor, writeTensors } from './write-tensors.ts';

export type PipelineName = 'sd15' | 'sdxl';

/** The most that a network beside the UNet may differ from the reference. */
export const TOLERANCE = 1e-4;

/** A diffusers pipeline folder, whole: a new one, which the test may change. */
export function pipelineFolder(name: PipelineName): string {
  const folder = join(temporaryFolder(), name);
  cpSync(fixturePath(`pipeline/${name}`), folder, { recursive: true });
  cpSync(fixturePath(`unet/${name}/diffusers`), join(folder, 'unet'), { recursive: true });
  return folder;
}

/** Channels of UNets that take a mask and the masked image, or an image to change, beside the latent. */
export const CHANNELS = { inpaint9: 9, pix2pix: 8 } as const;

/** The folder of a pipeline whose UNet takes more than the latent. */
export function pipelineBeside(name: PipelineName, kind: keyof typeof CHANNELS): string {
  const folder = pipelineFolder(name);
  const config = join(folder, 'unet/config.json');
  const channels = CHANNELS[kind];
  writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), in_channels: channels }));
  changeTensors(join(folder, 'unet/diffusion_pytorch_model.safetensors'), (tensors) => {
    tensors.set('conv_in.weight', golden('beside', `${name}.conv_in_${channels}.weight`));
  });
  return folder;
}

/** The same pipeline as one file in LDM's names, by what `change` makes of its tensors. */
export function pipelineFile(
  name: PipelineName,
  change: (tensors: Map<string, RawTensor>) => void = () => undefined,
): string {
  const files = [`unet/${name}/ldm.safetensors`, `pipeline/${name}.rest.safetensors`];
  const tensors = new Map(files.flatMap((file) => [...rawTensors(fixturePath(file))]));
  change(tensors);
  const path = join(temporaryFolder(), `${name}.safetensors`);
  writeTensors(path, tensors);
  return path;
}

/** The tensors of a file as they are stored. */
export function rawTensors(path: string): Map<string, RawTensor> {
  return decodeStored(readFileSync(path));
}

/** Changes a file's tensors in place. */
export function changeTensors(path: string, change: (tensors: Map<string, RawTensor>) => void): void {
  const tensors = rawTensors(path);
  change(tensors);
  writeTensors(path, tensors);
}

/** The config.json of a pipeline's part. */
export function partConfig(name: PipelineName, part: string): Record<string, unknown> {
  return readJson(`pipeline/${name}/${part}/config.json`);
}

const goldens = new Map<string, Map<string, RawTensor>>();

function golden(section: string, name: string): RawTensor {
  const tensors = goldens.get(section) ?? rawTensors(fixturePath(`pipeline/${section}.safetensors`));
  goldens.set(section, tensors);
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`fixtures/pipeline/${section}.safetensors has no ${name}`);
  return tensor;
}

function valuesOf({ dtype, bytes }: RawTensor): Float32Array | Int32Array | Uint8Array {
  const copy = bytes.slice();
  if (dtype === 'U8') return copy;
  return dtype === 'I32' ? new Int32Array(copy.buffer) : new Float32Array(copy.buffer);
}

/** A tensor of the goldens as it is stored. */
export function storedValues(section: string, name: string): { shape: readonly number[]; values: Float32Array } {
  const raw = golden(section, name);
  return { shape: raw.shape, values: Float32Array.from(valuesOf(raw)) };
}

/** A tensor of the goldens, maps as NHWC; the caller's to dispose. Bytes become floats as they are. */
export function goldenTensor(section: string, name: string): tf.Tensor {
  const raw = golden(section, name);
  const tensor = tf.tensor(valuesOf(raw), [...raw.shape], raw.dtype === 'I32' ? 'int32' : 'float32');
  return raw.shape.length === 4 ? tf.transpose(tensor, [0, 2, 3, 1]) : tensor;
}

/** A converted model as a page has it: loaded by TF.js alone, on the backend that runs. */
export async function loadStock(folder: string): Promise<Awaited<ReturnType<typeof loadGraphModel>>> {
  const server = await serveFolder(folder, { range: true });
  const model = await loadGraphModel(`${server.url}/model.json`);
  await server.close();
  return model;
}

/** Checks a result against a tensor of the goldens, of which only the first rows may be there. */
export function checkAgainst(actual: tf.Tensor, section: string, name: string): void {
  tf.tidy(() => {
    const expected = goldenTensor(section, name);
    const [rows = 0] = expected.shape;
    const same = rows < (actual.shape[0] ?? 0) ? tf.slice(actual, [0], [rows]) : actual;
    assert.equal(same.shape, expected.shape, name);
    const difference = largestDifference(same.dataSync(), expected.dataSync());
    assert.ok(difference <= TOLERANCE, `${name} differs by ${difference} on ${tf.getBackend()}`);
  });
}
