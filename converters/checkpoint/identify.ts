import { HYPERNETWORK_NAMES } from './hypernetwork.ts';

/** What names give a checkpoint away that is no UNet of ours; the first that fits is it. */
const KINDS: ReadonlyArray<readonly [pattern: RegExp, what: string]> = [
  [
    /^lora_(?:unet|te\d?|transformer)_|[._]lora[._](?:up|down|A|B|linear_layer)\b|\.lora_[AB]\b|\.hada_w1_a|\.lokr_w1/,
    'a LoRA',
  ],
  [/^(?:control_model\.|controlnet_|input_hint_block\.|zero_convs\.)/, 'a ControlNet'],
  [/^(?:image_proj|ip_adapter)\./, 'an IP-Adapter'],
  [HYPERNETWORK_NAMES, 'a hypernetwork, which patches keys and values itself and cannot be converted'],
  [/motion_modules\./, 'an AnimateDiff motion module'],
  [/(?:^|\.)(?:double_blocks|single_blocks|single_transformer_blocks)\.\d+\./, 'a Flux model'],
  [
    /(?:^|\.)joint_blocks\.\d+\.|^transformer_blocks\.\d+\.(?:ff_context|norm1_context)\./,
    'a Stable Diffusion 3 model',
  ],
  [/^transformer_blocks\.\d+\./, 'a diffusion transformer'],
  [/\.(?:spatial_res_block|temporal_res_block|temporal_transformer_blocks)\./, 'a video model'],
  [/^(?:first_stage_model\.)?(?:encoder|decoder)\.(?:down|up|mid|down_blocks|up_blocks|mid_block)[._]/, 'a VAE'],
  [/^(?:text_model\.|cond_stage_model\.|conditioner\.|text_encoder)|^transformer\.resblocks\./, 'a text encoder'],
  [/^encoder\.block\.\d+\.layer\./, 'a T5 text encoder'],
  [/^vision_model\./, 'an image encoder'],
  [/^(?:emb_params|clip_[lg]|string_to_param)\b/, 'a textual inversion'],
];

/** What the names of tensors look like, for messages: "a VAE", or undefined where nothing is recognised. */
export function looksLike(names: readonly string[]): string | undefined {
  return KINDS.find(([pattern]) => names.some((name) => pattern.test(name)))?.[1];
}

const LDM_PREFIXES = ['model.diffusion_model.', ''] as const;

/** How a UNet's tensors are spelled, and the prefix that is theirs; undefined where there is no UNet. */
export function unetSpelling(names: readonly string[]): { layout: 'diffusers' | 'ldm'; prefix: string } | undefined {
  const has = (start: string) => names.some((name) => name.startsWith(start));
  const prefix = LDM_PREFIXES.find((start) => has(`${start}input_blocks.`) && has(`${start}output_blocks.`));
  if (prefix !== undefined) return { layout: 'ldm', prefix };
  return has('down_blocks.') && has('up_blocks.') ? { layout: 'diffusers', prefix: '' } : undefined;
}
