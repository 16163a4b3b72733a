/** What one tensor of a LoRA file is, by its name. */
export type LoraKey =
  | { readonly kind: 'unet'; readonly module: string; readonly part: 'down' | 'up' | 'alpha' }
  | { readonly kind: 'text' }
  | { readonly kind: 'foreign'; readonly what: string }
  | { readonly kind: 'unknown' };

/** Other ways to change weights that are kept in files like these, by what their names end in. */
const FOREIGN: ReadonlyArray<readonly [pattern: RegExp, what: string]> = [
  [/\.dora_scale$|lora_magnitude_vector/, 'a DoRA (dora_scale)'],
  [/\.hada_(?:w[12]|t[12])/, 'a LoHa (hada_w1, hada_w2)'],
  [/\.lokr_(?:w[12]|t[12])/, 'a LoKr (lokr_w1, lokr_w2)'],
  [/\.oft_(?:blocks|diag)|\.(?:boft|oft)_[RS]/, 'an OFT (oft_blocks)'],
  [/\.(?:a[12]|b[12]|bm[12])\.weight$/, 'a GLoRA (a1, b1)'],
  [/\.lora_mid\.weight$/, 'a LoCon with a Tucker core (lora_mid)'],
  [/\.(?:diff|diff_b|w_norm|b_norm|set_weight|reshape_weight)$/, 'a file of whole differences (diff)'],
  [/\.on_input$/, 'an IA3 (on_input)'],
  [/[._]lora[._](?:up|B)(?:\.\w+)?\.bias$/, 'a LoRA with biases (lora_bias)'],
];

const TEXT = /^(?:lora_(?:te|prior_te)\d?_|text_encoder(?:_\d)?\.|te\d?\.|bundle_emb\.)/;
const PREFIX = /^(?:lora_unet_|unet\.|base_model\.model\.(?:unet\.)?|(?:model\.)?diffusion_model\.)/;
/** kohya, diffusers (two spellings of it) and PEFT, which may name the adapter before `weight`. */
const MATRIX = /^(.+?)[._]lora(?:_linear_layer)?[._](down|A|up|B)(?:\.\w+)?\.weight$/;
const ALPHA = /^(.+)\.alpha$/;

/**
 * One spelling for the modules of all LoRAs: without the prefix, underscores for dots, as kohya has them. Attention
 * processors of old diffusers releases had the projections as their own.
 */
export function moduleOf(name: string): string {
  const path = name.replace(PREFIX, '').replace(/\.processor\.(to_[qkv]|to_out)$/, '.$1');
  return path.replace(/\.to_out$/, '.to_out.0').replaceAll('.', '_');
}

/** Reads the name of a tensor of a LoRA file, in kohya's, diffusers' or PEFT's spelling. */
export function parseLoraKey(name: string): LoraKey {
  if (TEXT.test(name)) return { kind: 'text' };
  const foreign = FOREIGN.find(([pattern]) => pattern.test(name));
  if (foreign) return { kind: 'foreign', what: foreign[1] };
  const [, path, side] = MATRIX.exec(name) ?? [];
  if (path !== undefined) {
    return { kind: 'unet', module: moduleOf(path), part: side === 'down' || side === 'A' ? 'down' : 'up' };
  }
  const [, owner] = ALPHA.exec(name) ?? [];
  return owner === undefined ? { kind: 'unknown' } : { kind: 'unet', module: moduleOf(owner), part: 'alpha' };
}
