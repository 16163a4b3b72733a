import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { failsWith } from '../support/errors.ts';
import { withTensor } from '../support/lora-files.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';
import { floats } from '../support/write-tensors.ts';

const test = suite('shapes of LoRAs');

const CONVOLUTION = 'lora_unet_down_blocks_0_resnets_0_conv1';
const LINEAR = 'lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0';

/** Down matrices of other inner shapes than the weight's, [16, 16, 3, 3] and [16, 16]: as many values or not. */
const MISFITS: readonly (readonly [module: string, shape: readonly number[], weight: RegExp])[] = [
  [CONVOLUTION, [4, 16, 3, 1], /weight is \[16, 16, 3, 3\]/],
  [CONVOLUTION, [4, 16, 1, 3], /weight is \[16, 16, 3, 3\]/],
  [CONVOLUTION, [4, 16, 1, 9], /weight is \[16, 16, 3, 3\]/],
  [CONVOLUTION, [4, 16, 9, 1], /weight is \[16, 16, 3, 3\]/],
  [CONVOLUTION, [4, 16, 1, 1], /weight is \[16, 16, 3, 3\]/],
  [CONVOLUTION, [4, 16], /weight is \[16, 16, 3, 3\]/],
  [CONVOLUTION, [4, 144], /weight is \[16, 16, 3, 3\]/],
  [CONVOLUTION, [4, 15, 3, 3], /weight is \[16, 16, 3, 3\]/],
  [LINEAR, [4, 16, 3, 3], /weight is \[16, 16\]/],
  [LINEAR, [4, 8, 1, 2], /weight is \[16, 16\]/],
  [LINEAR, [4, 8, 2, 1], /weight is \[16, 16\]/],
  [LINEAR, [4, 15], /weight is \[16, 16\]/],
];

for (const [module, shape, message] of MISFITS) {
  test(`${module} with a down matrix [${shape.join(', ')}] is refused`, async () => {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    const file = withTensor(`${module}.lora_down.weight`, floats(shape, values));
    const out = join(temporaryFolder(), 'model');
    await failsWith('unsupported', message, () =>
      convertCheckpoint(unetGoldens('sd15').diffusers, out, { lora: [{ file }] }),
    );
    assert.not(existsSync(out));
  });
}

test.run();
