import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ConvertOptions, convertCheckpoint } from '../../converters/index.ts';
import { locate } from '../../src/attention/index.ts';
import { readModel } from '../../src/models/node.ts';
import { loadUNet } from '../../src/node.ts';
import { controlNetInputs } from '../../src/passes/index.ts';
import type { UNet, UNetInputs } from '../../src/runtime/index.ts';
import {
  type CompanionCase,
  companion,
  companionCases,
  companionInputs,
  companionTensor,
  goldenInput,
} from '../support/companion-goldens.ts';
import { largestDifference } from '../support/numbers.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';

const test = suite('UNets with companions, against diffusers');

const OPTIONS: Readonly<Record<string, (each: CompanionCase) => ConvertOptions>> = {
  lora_sd15_kohya: loraOptions,
  lora_sd15_peft: loraOptions,
  lora_sdxl_kohya: loraOptions,
  ip_adapter_sd15: imageOptions,
  ip_adapter_plus_sdxl: imageOptions,
  controlnet_sd15: () => ({}),
  controlnet_sdxl: () => ({}),
};

function loraOptions({ lora = '', scale = 1 }: CompanionCase): ConvertOptions {
  return { lora: [{ file: companion(lora), scale }], dtype: 'float32' };
}

function imageOptions({ ip_adapter = '' }: CompanionCase): ConvertOptions {
  return { ipAdapter: { file: companion(ip_adapter) } };
}

/** What a case feeds beside the UNet's own inputs; NCHW. */
function extraInputs(each: CompanionCase): Partial<UNetInputs> {
  const { ip_adapter, controlnet, scale = 1 } = each;
  if (ip_adapter) {
    const embeds = goldenInput(ip_adapter.replace('.safetensors', '.image_embeds'));
    return { image_embeds: embeds, ip_adapter_scale: tf.scalar(scale) };
  }
  if (!controlnet) return {};
  const count = each.checkpoint === 'sd15' ? 12 : 9;
  const down = Array.from({ length: count }, (_, index) => [`down_block_res_${index}`, `${controlnet}.down.${index}`]);
  const names = [...down, ['mid_block_res', `${controlnet}.mid`]];
  return Object.fromEntries(names.map(([input, name]) => [input, goldenInput(name ?? '')]));
}

/** Largest difference of one evaluation from diffusers', and the K/V tokens of every site. */
function evaluate(unet: UNet, each: CompanionCase): { difference: number; tokens: number[] } {
  return tf.tidy(() => {
    const inputs = { ...companionInputs(each), ...extraInputs(each) };
    const how = each.params ? { parameters: each.params } : { slothful: false as const };
    const { out_sample, sites } = unet.predict(inputs, { layout: 'nchw', ...how });
    const difference = largestDifference(out_sample.dataSync(), companionTensor(each.out).data);
    return { difference, tokens: sites.map(({ kvTokens }) => kvTokens) };
  });
}

/** K/V tokens of the sites of a checkpoint alone. */
async function tokensAlone({ checkpoint, params, timestep, out }: CompanionCase): Promise<number[]> {
  const model = join(temporaryFolder(), checkpoint);
  await convertCheckpoint(unetGoldens(checkpoint).diffusers, model);
  const unet = await loadUNet(model, { backend: 'wasm', slothful: true });
  const inputs = companionInputs({ checkpoint, params, timestep, out });
  const { out_sample, sites } = unet.predict(inputs, { layout: 'nchw', parameters: params ?? {} });
  tf.dispose([out_sample, inputs]);
  unet.dispose();
  return sites.map(({ kvTokens }) => kvTokens);
}

for (const [name, options] of Object.entries(OPTIONS)) {
  test(`${name}: outputs to 1e-4, plain and patched; K/V tokens as without it`, async () => {
    const cases = companionCases(name);
    const [first] = cases;
    assert.ok(first);
    const model = join(temporaryFolder(), 'model');
    await convertCheckpoint(unetGoldens(first.checkpoint).diffusers, model, options(first));
    const controlNet = first.controlnet !== undefined;
    const plain = await loadUNet(model, { backend: 'wasm', controlNet });
    const patched = await loadUNet(model, { backend: 'wasm', controlNet, slothful: true });
    const tensors = tf.memory().numTensors;
    for (const each of cases) {
      const runs = each.params ? [evaluate(patched, each)] : [evaluate(plain, each), evaluate(patched, each)];
      for (const { difference } of runs) assert.ok(difference <= 1e-4, `${each.out} differs by ${difference}`);
      if (each.params) assert.equal(runs[0]?.tokens, await tokensAlone(each));
    }
    assert.is(tf.memory().numTensors, tensors, 'no tensor is left');
    plain.dispose();
    patched.dispose();
  });
}

for (const [name, options] of Object.entries(OPTIONS)) {
  test(`${name}: has the sites of the checkpoint alone`, async () => {
    const [first] = companionCases(name);
    assert.ok(first);
    const folder = temporaryFolder();
    await convertCheckpoint(unetGoldens(first.checkpoint).diffusers, join(folder, 'alone'));
    await convertCheckpoint(unetGoldens(first.checkpoint).diffusers, join(folder, 'with'), options(first));
    const [alone, both] = [await sitesOf(join(folder, 'alone')), await sitesOf(join(folder, 'with'), first)];
    // Those of an IP-Adapter are second cross-attentions: they come beside the others and change no name.
    const images = both.filter((site) => site.includes('.cross2 '));
    assert.is(images.length, first.ip_adapter ? alone.length / 2 : 0);
    assert.equal(
      both.filter((site) => !images.includes(site)),
      alone,
    );
  });
}

/** Every site, in words, and every rejection. */
async function sitesOf(model: string, each?: CompanionCase): Promise<string[]> {
  const file = await readModel(model);
  const graph = await file.loadConstants(file.graph).then(() => file.graph);
  if (each?.controlnet) await graph.transform(controlNetInputs());
  const { sites, rejections } = locate(graph);
  const resampler = rejections.filter(({ softmax }) => softmax.startsWith('image_proj/'));
  assert.equal(rejections, resampler, 'nothing is rejected but the attentions of a resampler');
  return sites.map(({ id, kind, scope, heads, headDim, channels, scale, block, level }) =>
    [id, kind, scope, heads, headDim, channels, scale, block, level].join(' '),
  );
}

test.run();
