import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ConvertOptions, convertCheckpoint } from '../../converters/index.ts';
import { loadUNet } from '../../src/node.ts';
import type { UNetInputs } from '../../src/runtime/index.ts';
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
  ip_adapter_sd15: ({ ip_adapter = '' }) => ({ ipAdapter: { file: companion(ip_adapter) } }),
  controlnet_sd15: () => ({}),
  controlnet_sdxl: () => ({}),
};

function loraOptions({ lora = '', scale = 1 }: CompanionCase): ConvertOptions {
  return { lora: [{ file: companion(lora), scale }], dtype: 'float32' };
}

/** What a case feeds beside the UNet's own inputs; NCHW. */
function extraInputs(each: CompanionCase): Partial<UNetInputs> {
  if (each.ip_adapter) {
    return { image_embeds: goldenInput('ip_adapter_sd15.image_embeds'), ip_adapter_scale: tf.scalar(each.scale ?? 1) };
  }
  const { controlnet, conditioning_scale: scale = 1 } = each;
  if (!controlnet) return {};
  const count = each.checkpoint === 'sd15' ? 12 : 9;
  const down = Array.from({ length: count }, (_, index) => [`down_block_res_${index}`, `${controlnet}.down.${index}`]);
  const residuals = [...down, ['mid_block_res', `${controlnet}.mid`]].map(([input = '', name = '']) => {
    return [input, tf.mul(goldenInput(name), scale)] as const;
  });
  return Object.fromEntries(residuals);
}


for (const [name, options] of Object.entries(OPTIONS)) {
  test(name, async () => {
    const cases = companionCases(name);
    const [first] = cases;
    assert.is(cases.length, 2);
    assert.ok(first);
    const model = join(temporaryFolder(), 'model');
    await convertCheckpoint(unetGoldens(first.checkpoint).diffusers, model, options(first));
    const controlNet = first.controlnet !== undefined;
    const plain = await loadUNet(model, { backend: 'wasm', controlNet });
    const patched = await loadUNet(model, { backend: 'wasm', controlNet, slothful: true });
    for (const each of cases) {
      const difference = tf.tidy(() => {
        const inputs = { ...companionInputs(each), ...extraInputs(each) };
        const unet = each.params ? patched : plain;
        const { out_sample, sites } = unet.predict(inputs, {
          layout: 'nchw',
          ...(each.params ? { parameters: each.params } : {}),
        });
        if (each.params) assert.ok(sites.some(({ pooled }) => pooled), 'something was pooled');
        return largestDifference(out_sample.dataSync(), companionTensor(each.out).data);
      });
      console.log(each.out, difference);
      assert.ok(difference <= 1e-4, `${each.out} differs by ${difference}`);
    }
    plain.dispose();
    patched.dispose();
  });
}

test.run();
