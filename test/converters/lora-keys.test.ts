import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseLoraOption } from '../../converters/index.ts';
import { parseLoraKey } from '../../converters/lora/parse-lora.ts';
import { failsWith } from '../support/errors.ts';

const test = suite('names in LoRA files and on the command line');

const MODULE = 'down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0';
const PATH = 'down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0';

const FC1 = 'text_model_encoder_layers_0_mlp_fc1';
const OUT = 'text_model_encoder_layers_0_self_attn_out_proj';

const KEYS: ReadonlyArray<readonly [name: string, expected: string]> = [
  [`lora_unet_${MODULE}.lora_down.weight`, `unet ${MODULE} down`],
  [`lora_unet_${MODULE}.lora_up.weight`, `unet ${MODULE} up`],
  [`lora_unet_${MODULE}.alpha`, `unet ${MODULE} alpha`],
  [`unet.${PATH}.lora_A.weight`, `unet ${MODULE} down`],
  [`unet.${PATH}.lora_B.weight`, `unet ${MODULE} up`],
  [`unet.${PATH}.lora_A.default.weight`, `unet ${MODULE} down`],
  [`base_model.model.${PATH}.lora_B.weight`, `unet ${MODULE} up`],
  [`${PATH}.lora_B.weight`, `unet ${MODULE} up`],
  [`unet.${PATH}.lora.down.weight`, `unet ${MODULE} down`],
  [`unet.${PATH}.lora.up.weight`, `unet ${MODULE} up`],
  [`unet.${PATH}.alpha`, `unet ${MODULE} alpha`],
  [`unet.${PATH.replace('to_out.0', 'processor.to_out')}_lora.up.weight`, `unet ${MODULE} up`],
  [
    `unet.${PATH.replace('to_out.0', 'processor.to_k')}_lora.down.weight`,
    `unet ${MODULE.replace('to_out_0', 'to_k')} down`,
  ],
  [`unet.${PATH}.lora_linear_layer.down.weight`, `unet ${MODULE} down`],
  ['diffusion_model.input_blocks.1.1.proj_in.lora_A.weight', 'unet input_blocks_1_1_proj_in down'],
  [`lora_te_${FC1}.lora_up.weight`, `text_encoder ${FC1} up`],
  [`lora_te1_${FC1}.alpha`, `text_encoder ${FC1} alpha`],
  [`lora_te2_${FC1}.lora_down.weight`, `text_encoder_2 ${FC1} down`],
  ['lora_te2_text_projection.lora_down.weight', 'text_encoder_2 text_projection down'],
  ['text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight', `text_encoder ${FC1} down`],
  ['text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_B.default.weight', `text_encoder ${FC1} up`],
  ['text_encoder_2.text_model.encoder.layers.0.mlp.fc1.lora.up.weight', `text_encoder_2 ${FC1} up`],
  ['text_encoder_2.encoder.layers.0.mlp.fc1.lora_linear_layer.up.weight', `text_encoder_2 ${FC1} up`],
  ['text_encoder_2.text_projection.lora_A.weight', 'text_encoder_2 text_projection down'],
  ['text_encoder.text_model.encoder.layers.0.self_attn.to_out_lora.down.weight', `text_encoder ${OUT} down`],
  ['text_encoder.encoder.layers.0.self_attn.out_proj.lora_linear_layer.down.weight', `text_encoder ${OUT} down`],
  ['te1.text_model.encoder.layers.0.self_attn.out_proj.lora_A.weight', `text_encoder ${OUT} down`],
  ['text_encoder.text_model.encoder.layers.0.mlp.fc1.weight', 'text_encoder unknown'],
  [`lora_te3_${FC1}.lora_up.weight`, `other_text_encoder ${FC1} up`],
  [`lora_prior_te_${FC1}.lora_up.weight`, `other_text_encoder ${FC1} up`],
  ['bundle_emb.style.string_to_param.*', 'embedding unknown'],
  [`lora_te2_${FC1}.dora_scale`, `text_encoder_2 ${FC1} dora_scale`],
  [`lora_te_${FC1}.hada_w1_a`, `text_encoder ${FC1} hada_w1_a`],
  [`lora_te1_${FC1}.lokr_w2`, `text_encoder ${FC1} lokr_w2`],
  [`lora_unet_${MODULE}.dora_scale`, `unet ${MODULE} dora_scale`],
  [`unet.${PATH}.lora_magnitude_vector`, `unet ${MODULE} magnitude`],
  [`unet.${PATH}.lora_magnitude_vector.default.weight`, `unet ${MODULE} magnitude`],
  [`unet.${PATH}.lora_magnitude_vector.weight`, `unet ${MODULE} magnitude`],
  [`lora_unet_${MODULE}.hada_t2`, `unet ${MODULE} hada_t2`],
  [`base_model.model.${PATH}.hada_w2_b`, `unet ${MODULE} hada_w2_b`],
  [`lora_unet_${MODULE}.lokr_w2_a`, `unet ${MODULE} lokr_w2_a`],
  [`lora_unet_${MODULE}.lora_mid.weight`, `unet ${MODULE} mid`],
  [`lora_unet_${MODULE}.diff`, `unet ${MODULE} diff`],
  [`diffusion_model.${PATH}.diff_b`, `unet ${MODULE} diff_b`],
  [`lora_unet_${MODULE}.w_norm`, `unet ${MODULE} diff`],
  [`lora_unet_${MODULE}.b_norm`, `unet ${MODULE} diff_b`],
  [`unet.${PATH}.lora_B.bias`, `unet ${MODULE} up_bias`],
  [`unet.${PATH}.lora_A.bias`, 'unet unknown'],
  [`lora_unet_${MODULE}.hada_w3_a`, 'unet unknown'],
  [`lora_unet_${MODULE}.lokr_w1_c`, 'unet unknown'],
  [`lora_unet_${MODULE}.constructor`, 'unet unknown'],
  // What wraps models and modules, and other prefixes.
  [`lora_unet__orig_mod_${MODULE}.alpha`, `unet ${MODULE} alpha`],
  [`lora_unet_down_blocks_0__orig_mod_attentions_0.alpha`, 'unet down_blocks_0_attentions_0 alpha'],
  [`_orig_mod.${PATH}.lora_A.weight`, `unet ${MODULE} down`],
  [`unet._orig_mod.${PATH}.lora_A.weight`, `unet ${MODULE} down`],
  [`module.${PATH}.lora_A.weight`, `unet ${MODULE} down`],
  [`base_model.model.unet.${PATH}.lora_A.weight`, `unet ${MODULE} down`],
  [`unet.base_model.model.${PATH}.lora_A.weight`, `unet ${MODULE} down`],
  [`model.diffusion_model.${PATH}.lora_up.weight`, `unet ${MODULE} up`],
  [`lycoris_${MODULE}.lora_up.weight`, `unet ${MODULE} up`],
  [`lycoris_${FC1}.lora_up.weight`, `text_encoder ${FC1} up`],
  [`base_model.model.text_model.encoder.layers.0.mlp.fc1.lora_A.weight`, `text_encoder ${FC1} down`],
  [`base_model.model.encoder.layers.0.mlp.fc1.lora_A.weight`, `text_encoder ${FC1} down`],
  [`text_encoder.base_model.model.text_model.encoder.layers.0.mlp.fc1.lora_A.weight`, `text_encoder ${FC1} down`],
  ['text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1.alpha', `text_encoder ${FC1} alpha`],
  ['text_encoders.clip_g.transformer.text_model.encoder.layers.0.mlp.fc1.alpha', `text_encoder_2 ${FC1} alpha`],
  ['text_encoders.clip_g.transformer.text_projection.lora_up.weight', 'text_encoder_2 text_projection up'],
  ['clip_l.transformer.text_model.encoder.layers.0.mlp.fc1.alpha', `text_encoder ${FC1} alpha`],
  ['clip_g.text_model.encoder.layers.0.mlp.fc1.alpha', `text_encoder_2 ${FC1} alpha`],
  [
    'text_encoders.t5xxl.transformer.encoder.block.0.alpha',
    'other_text_encoder t5xxl_transformer_encoder_block_0 alpha',
  ],
  // Other adapters.
  [`lora_unet_${MODULE}.oft_blocks`, 'an OFT (oft_blocks)'],
  [`base_model.model.${PATH}.oft_R.default.weight`, 'an OFT (oft_blocks)'],
  [`lora_unet_${MODULE}.a1.weight`, 'a GLoRA (a1, b1)'],
  [`lora_unet_${MODULE}.on_input`, 'an IA3 (on_input)'],
  [`base_model.model.${PATH}.ia3_l`, 'an IA3 (on_input)'],
  [`base_model.model.${PATH}.lora_E`, 'an AdaLoRA (lora_E)'],
  [`lora_unet_${MODULE}.set_weight`, 'a file with whole weights (set_weight)'],
  [
    'transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight',
    'for a diffusion transformer (Flux, SD3 and the like)',
  ],
  ['lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight', 'for a diffusion transformer (Flux, SD3 and the like)'],
  [`${PATH}.weight`, 'unet unknown'],
  ['emb_params', 'unet unknown'],
];

for (const [name, expected] of KEYS) {
  test(`reads ${name}`, () => {
    const key = parseLoraKey(name);
    const what = key.kind === 'matrix' ? `${key.module} ${key.part}` : key.kind;
    assert.is(key.kind === 'foreign' ? key.what : `${key.owner} ${what}`, expected);
  });
}

const OPTIONS: ReadonlyArray<readonly [text: string, file: string, scale: number | undefined]> = [
  ['a.safetensors', 'a.safetensors', undefined],
  ['a.safetensors:0.8', 'a.safetensors', 0.8],
  ['dir/a.safetensors:-.5', 'dir/a.safetensors', -0.5],
  ['C:\\loras\\a.safetensors', 'C:\\loras\\a.safetensors', undefined],
  ['C:\\loras\\a.safetensors:1', 'C:\\loras\\a.safetensors', 1],
  ['a:b.safetensors', 'a:b.safetensors', undefined],
  ['folder:1e-1', 'folder', 0.1],
];

for (const [text, file, scale] of OPTIONS) {
  test(`--lora ${text}`, () => {
    const option = parseLoraOption(text);
    assert.is(option.file, file);
    assert.is(option.scale, scale);
  });
}

test('--lora with a scale that is not a number is refused', async () => {
  for (const scale of ['', 'x', '0.8.1', '1,5', 'NaN']) {
    await failsWith('usage', /is not a scale; write --lora file.safetensors:0\.8/, () =>
      parseLoraOption(`a.safetensors:${scale}`),
    );
  }
});

test.run();
