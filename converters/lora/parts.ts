/** The parts of a pipeline that a LoRA may change, and how LoRA files spell their modules. */

/** What a LoRA is fused into, by the names of the folders in diffusers. */
export const LORA_PARTS = ['unet', 'text_encoder', 'text_encoder_2'] as const;
export type LoraPart = (typeof LORA_PARTS)[number];

/** Whose a tensor of a LoRA file is; not all of them are converted here. */
export type LoraOwner = LoraPart | 'other_text_encoder' | 'embedding';

/** What is for no text encoder is for the UNet: its own prefix may be missing. */
const TEXT: ReadonlyArray<readonly [prefix: RegExp, owner: LoraOwner]> = [
  [/^(?:lora_te1?_|text_encoder\.|te1?\.)/, 'text_encoder'],
  [/^(?:lora_te2_|text_encoder_2\.|te2\.)/, 'text_encoder_2'],
  [/^(?:lora_(?:te\d|prior_te\d?)_|text_encoder_\d\.|te\d\.)/, 'other_text_encoder'],
  [/^bundle_emb\./, 'embedding'],
];
const UNET = /^(?:lora_unet_|unet\.|base_model\.model\.(?:unet\.)?|(?:model\.)?diffusion_model\.)/;

/** Whose a tensor is, by its name, and the name without what tells it. */
export function ownerOf(name: string): { owner: LoraOwner; path: string } {
  const [prefix, owner] = TEXT.find(([text]) => text.test(name)) ?? [UNET, 'unet' as const];
  return { owner, path: name.replace(prefix, '') };
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
