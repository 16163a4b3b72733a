/** The parts of a pipeline that a LoRA may change, and how LoRA files spell their modules. */

/** What a LoRA is fused into, by the names of the folders in diffusers. */
export const LORA_PARTS = ['unet', 'text_encoder', 'text_encoder_2'] as const;
export type LoraPart = (typeof LORA_PARTS)[number];

/** Whose a tensor of a LoRA file is; not all of them are converted here. */
export type LoraOwner = LoraPart | 'other_text_encoder' | 'embedding';

/** What tells whose a tensor is, at the start of its name: kohya's, diffusers', ComfyUI's, OneTrainer's, LyCORIS'. */
const OWNERS: ReadonlyArray<readonly [prefix: RegExp, owner: LoraOwner]> = [
  [/^(?:lora_te1?_|text_encoder\.|te1?\.|(?:text_encoders\.)?clip_l\.(?:transformer\.)?)/, 'text_encoder'],
  [/^(?:lora_te2_|text_encoder_2\.|te2\.|(?:text_encoders\.)?clip_g\.(?:transformer\.)?)/, 'text_encoder_2'],
  [/^(?:lora_(?:te\d|prior_te\d?)_|text_encoder_\d\.|te\d\.|text_encoders\.|(?:clip_h|t5xxl)\.)/, 'other_text_encoder'],
  [/^bundle_emb\./, 'embedding'],
  [/^(?:lora_unet_|unet\.|diffusion_model\.)/, 'unet'],
];

/** What programs put around a model, and with that before the names of its tensors: PEFT, PyTorch's parallel ones, LyCORIS. */
const WRAPPER = /^(?:base_model\.model\.|module\.|pipe(?:line)?\.|model\.|lycoris_)/;
/** What they put around any module, torch.compile first of all; with underscores for dots in kohya's names. */
const INNER_WRAPPERS = /_(?:orig_mod|fsdp_wrapped_module|checkpoint_wrapped_module)[._]/g;

/** A text encoder's modules, where nothing before them tells whose they are; newer transformers leave `text_model`. */
const TEXT_MODULE = /^(?:text_model[._]|encoder[._]layers[._]\d+[._])/;

/** Whose a tensor is, by its name, and the name without what tells it. What is for no text encoder is for the UNet. */
export function ownerOf(name: string): { owner: LoraOwner; path: string } {
  let path = name.replace(INNER_WRAPPERS, '');
  let owner: LoraOwner | undefined;
  for (let length = -1; length !== path.length; ) {
    length = path.length;
    path = path.replace(WRAPPER, '');
    const found: (typeof OWNERS)[number] | undefined = owner ? undefined : OWNERS.find(([text]) => text.test(path));
    if (!found) continue;
    path = path.replace(found[0], '');
    owner = found[1];
  }
  return { owner: owner ?? (TEXT_MODULE.test(path) ? 'text_encoder' : 'unet'), path };
}

/** Whether a name is spelled as where a LoRA without an alpha is one whose alpha is its rank: diffusers', ComfyUI's. */
export function isAlphaOptional(name: string): boolean {
  return /^(?:unet|text_encoder(?:_2)?|(?:model\.)?diffusion_model|text_encoders|clip_[lg])\./.test(name);
}

/**
 * One spelling for the modules of all LoRAs: underscores for dots, as kohya has them, of diffusers' names in a UNet and of
 * transformers' names in a text encoder.
 *
 * @param path the module's name without the prefix of its part
 */
export function moduleOf(owner: LoraOwner, path: string): string {
  return (owner === 'unet' ? unetPath(path) : textPath(path)).replaceAll('.', '_');
}

/** Attention processors of old diffusers releases had the projections as their own. */
function unetPath(path: string): string {
  return path.replace(/\.processor\.(to_[qkv]|to_out)$/, '.$1').replace(/\.to_out$/, '.to_out.0');
}

/** Old diffusers releases gave a text encoder's projections the UNet's names; newer transformers leave `text_model`. */
function textPath(path: string): string {
  const named = path.replace(/\bself_attn\.to_(q|k|v|out)$/, 'self_attn.$1_proj');
  return named.replace(/^encoder([._]layers[._])/, 'text_model.encoder$1');
}

const TITLES: Readonly<Record<LoraOwner, string>> = {
  unet: 'the UNet',
  text_encoder: 'the text encoder',
  text_encoder_2: 'the second text encoder',
  other_text_encoder: 'text encoders of other models',
  embedding: 'tokens of its own',
};

/** What a part is called in messages. */
export function titleOf(owner: LoraOwner): string {
  return TITLES[owner];
}

const LISTED = 8;

/** The first names of a long list, for messages. */
export function listOf(names: readonly string[]): string {
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return `${names.slice(0, LISTED).join(', ')}${more}`;
}
