import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openCheckpoint } from '../../converters/checkpoint/index.ts';
import { CONTROLNET } from '../../converters/controlnet/index.ts';
import { UNET } from '../../converters/unet/index.ts';
import { rejection, temporaryFolder, writeZeros } from './support.ts';

const test = suite('checkpoint: what stands before and in names');
const root = temporaryFolder();

const LDM = ['input_blocks.0.0.weight', 'middle_block.0.in_layers.0.weight', 'output_blocks.0.0.in_layers.0.weight'];
const DIFFUSERS = ['conv_in.weight', 'down_blocks.0.resnets.0.norm1.weight', 'up_blocks.0.resnets.0.norm1.weight'];

function file(name: string, names: readonly string[]): string {
  const path = join(root, `${name}.safetensors`);
  writeZeros(path, new Map(names.map((each) => [each, [1]])));
  return path;
}

/** What stands before a UNet's names, and what else is in the file. */
const PREFIXES: ReadonlyArray<readonly [prefix: string, names: readonly string[], others?: readonly string[]]> = [
  ['', LDM],
  ['model.diffusion_model.', LDM, ['first_stage_model.decoder.conv_in.weight', 'model_ema.decay']],
  ['diffusion_model.', LDM],
  ['model.model.diffusion_model.', LDM],
  ['model.model.', LDM],
  ['model.', DIFFUSERS],
  ['unet.', DIFFUSERS, ['text_encoder.text_model.a', 'vae.decoder.up_blocks.0.a', 'vae.decoder.down_blocks.0.a']],
  ['_orig_mod.', DIFFUSERS],
  ['module._orig_mod.', DIFFUSERS],
  ['unet._orig_mod.', DIFFUSERS],
  ['state_dict.model.diffusion_model.', LDM, ['optimizer_states.0.state.0.exp_avg', 'loops.a']],
  ['state_dict.module.unet.', DIFFUSERS],
  ['_fsdp_wrapped_module.', LDM],
];

for (const [prefix, names, others = []] of PREFIXES) {
  test(`a UNet under "${prefix}"`, async () => {
    const path = file(`prefix-${prefix}`, [...names.map((name) => `${prefix}${name}`), ...others]);
    const checkpoint = await openCheckpoint(path, UNET);
    await checkpoint.close();
    assert.equal([...checkpoint.tensors.keys()].sort(), [...names].sort());
    assert.is(checkpoint.otherTensors, others.length);
    assert.is(checkpoint.tensors.get(names[0] ?? '')?.name, `${prefix}${names[0]}`);
  });
}

test('wrappers inside of names are taken off too, unless two tensors would have one name', async () => {
  const inside = file('inside', ['down_blocks.0._orig_mod.resnets.0.a', 'up_blocks.0.module.resnets.0.a']);
  const open = await openCheckpoint(inside, UNET);
  await open.close();
  assert.equal([...open.tensors.keys()], ['down_blocks.0.resnets.0.a', 'up_blocks.0.resnets.0.a']);
  const both = await openCheckpoint(file('both', [...DIFFUSERS, '_orig_mod.conv_in.weight']), UNET);
  await both.close();
  assert.ok(both.tensors.has('_orig_mod.conv_in.weight') && both.tensors.has('conv_in.weight'));
});

test('of plain and averaged weights in one file the plain ones are taken, and the averaged ones alone with a note', async () => {
  const averaged = LDM.map((name) => `model_ema.diffusion_model.${name}`);
  const plain = LDM.map((name) => `model.diffusion_model.${name}`);
  const both = await openCheckpoint(file('ema-both', [...averaged, ...plain]), UNET);
  await both.close();
  assert.is(both.prefix, 'model.diffusion_model.');
  assert.equal(both.notes, ['left 3 tensors of other models']);
  const alone = await openCheckpoint(file('ema-alone', averaged), UNET);
  await alone.close();
  assert.match(
    alone.notes.join(),
    /averaged \(EMA\) weights alone, under "model_ema\.diffusion_model\.", and took them/,
  );
});

/** Files that nearly hold a UNet, and what is said of them. */
const NEARLY: ReadonlyArray<readonly [what: string, names: readonly string[], says: RegExp]> = [
  [
    'an unknown prefix',
    LDM.map((name) => `teacher.net.${name}`),
    /end as a UNet's do, behind the prefix "teacher\.net\."/,
  ],
  ['half of it', LDM.slice(0, 2), /it has input_blocks and no output_blocks/],
  ['the other half', DIFFUSERS.slice(2), /it has up_blocks and no down_blocks/],
  [
    'names without dots',
    ['model_ema.diffusion_modelinput_blocks00weight'],
    /EMA\) weights alone, in names without dots/,
  ],
  ['another model', ['encoder.down_blocks.0.a', 'decoder.up_blocks.0.a'], /looks like a VAE/],
];

for (const [what, names, says] of NEARLY) {
  test(`says what nearly matched: ${what}`, async () => {
    const { code, message } = await rejection(openCheckpoint(file(`nearly-${what}`, names), UNET));
    assert.is(code, 'bad-checkpoint');
    assert.match(message, says);
  });
}

const HINT = ['input_hint_block.0.weight', 'zero_convs.0.0.weight', 'input_blocks.0.0.weight'];

test('a ControlNet under the prefixes that it is found with', async () => {
  for (const prefix of ['', 'control_model.', 'model.control_model.', 'module.control_model.', 'controlnet.']) {
    const path = file(
      `hint-${prefix}`,
      HINT.map((name) => `${prefix}${name}`),
    );
    const { layout, tensors, close } = await openCheckpoint(path, CONTROLNET);
    await close();
    assert.is(layout, 'ldm');
    assert.is(tensors.size, 3);
  }
});

/** Networks that are called ControlNets, by a name of each. */
const OTHERS: ReadonlyArray<readonly [names: readonly string[], what: string]> = [
  [['lllite_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.down.0.weight'], 'a ControlNet-LLLite'],
  [['lora_controlnet', 'input_hint_block.0.weight', 'zero_convs.0.0.weight'], 'a Control-LoRA'],
  [['task_embedding', 'controlnet_cond_embedding.conv_in.weight'], 'a ControlNet Union'],
  [['adapter.body.0.in_conv.weight'], 'a T2I-Adapter'],
  [['ctrl_to_base.0.weight'], 'a ControlNet-XS'],
];

test('networks that are called ControlNets are named for what they are, with their file', async () => {
  for (const [names, what] of OTHERS) {
    const path = file(`other-${what}`, names);
    const { message, place } = await rejection(openCheckpoint(path, CONTROLNET));
    assert.is(place, path);
    assert.ok(message.includes(`: is ${what}, which works in another way; give a plain ControlNet of`), message);
  }
});

test.run();
