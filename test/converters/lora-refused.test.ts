import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCheckpoint } from '../../converters/index.ts';
import { companion } from '../support/companion-goldens.ts';
import { failsWith } from '../support/errors.ts';
import { KOHYA, respelled, withTensor } from '../support/lora-files.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { unetGoldens } from '../support/unet-goldens.ts';
import { floats, readTensors, writeTensors } from '../support/write-tensors.ts';

const test = suite('LoRAs that are refused');

const SDXL = companion('lora_sdxl_kohya.safetensors');
const MODULE = 'down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0';

const only = (pattern: RegExp) => respelled(KOHYA, (name) => (pattern.test(name) ? name : undefined));

const REFUSED: ReadonlyArray<
  readonly [
    what: string,
    code: 'unsupported' | 'bad-checkpoint' | 'io' | 'bad-parameter',
    message: RegExp,
    file: () => string,
  ]
> = [
  [
    'an OFT',
    'unsupported',
    /is an OFT \(oft_blocks\), by its tensor .*; LoRA, DoRA, LoHa, LoKr and differences can be fused/,
    () => withTensor(`lora_unet_${MODULE}.oft_blocks`),
  ],
  [
    'lengths of another layer',
    'unsupported',
    /_to_out_0": has lengths \(dora_scale\) \[1\], and the weight is \[16, 16\]; the LoRA was made for another model/,
    () => withTensor(`lora_unet_${MODULE}.dora_scale`),
  ],
  [
    'lengths of nothing',
    'bad-checkpoint',
    /"conv_in": has lengths \(dora_scale\) and nothing that they are of/,
    () => withTensor('lora_unet_conv_in.dora_scale'),
  ],
  [
    'half a LoHa',
    'bad-checkpoint',
    /has not all of hada_w1_a, hada_w1_b, hada_w2_a and hada_w2_b/,
    () => withTensor('lora_unet_conv_in.hada_w1_a'),
  ],
  [
    'half a LoKr',
    'bad-checkpoint',
    /has neither lokr_w2 nor both of lokr_w2_a and lokr_w2_b/,
    () => withTensor('lora_unet_conv_in.lokr_w1'),
  ],
  [
    'a LoRA and a LoKr of one module',
    'bad-checkpoint',
    /is changed by a product and by a kronecker at once/,
    () => {
      const file = withTensor(`lora_unet_${MODULE}.lokr_w1`, floats([1, 1], [1]));
      const tensors = readTensors(readFileSync(file));
      writeTensors(file, new Map([...tensors, [`lora_unet_${MODULE}.lokr_w2`, floats([1, 1], [1])]]));
      return file;
    },
  ],
  [
    'a difference of another shape',
    'unsupported',
    /"conv_in": is a difference \[1\], and the checkpoint's weight is \[16, 4, 3, 3\]/,
    () => withTensor('lora_unet_conv_in.diff'),
  ],
  [
    'a bias that the model does not have',
    'unsupported',
    /changes 1 of its 278 modules that the UNet does not have: \w+_to_q;/,
    () => withTensor(`lora_unet_${MODULE.replace('to_out_0', 'to_q')}.diff_b`, floats([16], new Float32Array(16))),
  ],
  [
    'a Tucker core that does not fit',
    'bad-checkpoint',
    /has a Tucker core \[1\] between matrices of which the down one is/,
    () => withTensor(`lora_unet_${MODULE}.lora_mid.weight`),
  ],
  [
    'a prefix that nobody knows',
    'unsupported',
    /changes only 278 of .*; 278 of 278 would fit without the "my_net_" at their start, which is no prefix that is known/,
    () => respelled(KOHYA, (name) => name.replace('lora_unet_', 'my_net_')),
  ],
  ['an SDXL LoRA', 'unsupported', /the LoRA was made for another model/, () => SDXL],
  [
    'a text-only LoRA',
    'unsupported',
    /has 3 tensors for text encoders and none for the UNet/,
    () => {
      return respelled(only(/0_attentions_0_proj_in/), (name) => name.replace('lora_unet_', 'lora_te_'));
    },
  ],
  [
    'a module without its up matrix',
    'bad-checkpoint',
    /_proj_in": has no up matrix/,
    () => only(/attentions_0_proj_in\.(?:alpha|lora_down)/),
  ],
  [
    'ranks that do not fit',
    'bad-checkpoint',
    /their ranks do not fit/,
    () => {
      return withTensor(`lora_unet_${MODULE}.lora_up.weight`, floats([16, 3], new Float32Array(48)));
    },
  ],
  [
    'another width',
    'unsupported',
    /the checkpoint's weight is \[16, 16\]; the LoRA was made for another model/,
    () => {
      return withTensor(`lora_unet_${MODULE}.lora_up.weight`, floats([17, 4], new Float32Array(68)));
    },
  ],
  [
    'an alpha that is not a number',
    'bad-checkpoint',
    /\.alpha": is NaN, and is an alpha/,
    () => {
      return withTensor(`lora_unet_${MODULE}.alpha`, floats([], [Number.NaN]));
    },
  ],
  [
    'whole numbers',
    'unsupported',
    /is I32; weights are read from/,
    () => {
      return withTensor(`lora_unet_${MODULE}.lora_up.weight`, {
        ...floats([16, 4], new Float32Array(64)),
        dtype: 'I32',
      });
    },
  ],
  ['a checkpoint', 'bad-checkpoint', /holds no LoRA among its/, () => unetGoldens('ssd1b').ldm],
  [
    'an IP-Adapter',
    'bad-checkpoint',
    /holds no LoRA among its 36 tensors: it looks like an IP-Adapter/,
    () => companion('ip_adapter_sd15.safetensors'),
  ],
  [
    'a hypernetwork',
    'unsupported',
    /is a hypernetwork: it puts networks of its own before the keys and values/,
    () => {
      const file = join(temporaryFolder(), 'h.safetensors');
      writeTensors(file, new Map([['320.0.linear.0.weight', floats([2, 2], [1, 2, 3, 4])]]));
      return file;
    },
  ],
  [
    'a pickled hypernetwork',
    'unsupported',
    /is a hypernetwork/,
    () => {
      const file = join(temporaryFolder(), 'h.pt');
      writeFileSync(file, 'PK\x03\x04...layer_structure...activation_func...linear.0.weight');
      return file;
    },
  ],
  [
    'a pickle',
    'unsupported',
    /is a PyTorch pickle/,
    () => {
      const file = join(temporaryFolder(), 'l.pt');
      writeFileSync(file, 'PK\x03\x04');
      return file;
    },
  ],
  [
    'a stranger among its tensors',
    'bad-checkpoint',
    /has 1 tensors that belong to no LoRA, such as "extra"/,
    () => withTensor('extra'),
  ],
  ['a file that is not there', 'io', /does not exist/, () => '/nowhere/lora.safetensors'],
  [
    'a truncated file',
    'bad-checkpoint',
    /truncated|ends at byte/,
    () => {
      const file = join(temporaryFolder(), 'cut.safetensors');
      writeFileSync(file, readFileSync(KOHYA).subarray(0, 200_000));
      return file;
    },
  ],
];

for (const [what, code, message, file] of REFUSED) {
  test(`${what} is refused in one line, and nothing is written`, async () => {
    const out = join(temporaryFolder(), 'model');
    const lora = [{ file: file() }];
    await failsWith(code, message, () => convertCheckpoint(unetGoldens('sd15').diffusers, out, { lora }));
    assert.not(existsSync(out));
  });
}

test('a hypernetwork given as a checkpoint is refused by name, pickled or not', async () => {
  const folder = temporaryFolder();
  const tensors = join(folder, 'h.safetensors');
  writeTensors(tensors, new Map([['768.1.linear.0.weight', floats([2, 2], [1, 2, 3, 4])]]));
  const pickle = join(folder, 'h.pt');
  writeFileSync(pickle, 'PK...activation_func...linear1.weight');
  const convert = (source: string) => convertCheckpoint(source, join(folder, 'model'));
  await failsWith('bad-checkpoint', /it looks like a hypernetwork, which patches keys and values/, () =>
    convert(tensors),
  );
  await failsWith('unsupported', /is a hypernetwork/, () => convert(pickle));
  assert.not(existsSync(join(folder, 'model')));
});

test.run();
