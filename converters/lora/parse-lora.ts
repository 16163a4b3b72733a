/** What the names in a LoRA file say: what each tensor is, and whether the file is an LCM-LoRA. */
import { basename, dirname, resolve } from 'node:path';
import { type LoraOwner, moduleOf, ownerOf } from './parts.ts';

/** What a tensor is of a module's change; LyCORIS' and PEFT's names where they have one. */
export type LoraTensor =
  | 'down'
  | 'up'
  | 'mid'
  | 'alpha'
  | 'up_bias'
  | 'dora_scale'
  | 'magnitude'
  | 'diff'
  | 'diff_b'
  | `hada_${'w1_a' | 'w1_b' | 'w2_a' | 'w2_b' | 't1' | 't2'}`
  | `lokr_${'w1' | 'w1_a' | 'w1_b' | 'w2' | 'w2_a' | 'w2_b' | 't2'}`;

/** What one tensor of a LoRA file is, by its name. */
export type LoraKey = { readonly owner: LoraOwner } & (
  | { readonly kind: 'matrix'; readonly module: string; readonly path: string; readonly part: LoraTensor }
  | { readonly kind: 'foreign'; readonly what: string }
  | { readonly kind: 'unknown' }
);

/** Other ways to change weights that are kept in files like these, by what their names have. */
const FOREIGN: ReadonlyArray<readonly [pattern: RegExp, what: string]> = [
  [/\.oft_(?:blocks|diag)|\.(?:boft|oft)_[RSr]/, 'an OFT (oft_blocks)'],
  [/\.(?:a[12]|b[12]|bm[12])\.weight$/, 'a GLoRA (a1, b1)'],
  [/\.on_input$|\.ia3_l\b/, 'an IA3 (on_input)'],
  [/\.lora_E\b|\.ranknum\b/, 'an AdaLoRA (lora_E)'],
  [/\.vera_lambda_[bd]\b/, 'a VeRA (vera_lambda)'],
  [/\.lora_embedding_[AB]\b/, 'a LoRA of embeddings (lora_embedding_A)'],
  [/\.(?:set_weight|reshape_weight)$/, 'a file with whole weights (set_weight)'],
  [/\.bias_(?:values|indices|size)$/, 'a LyCORIS with sparse biases (bias_values)'],
  [/^lllite_/, 'a ControlNet-LLLite, which is no set of weights'],
  [/^lora_controlnet$/, 'a Control-LoRA, which is a ControlNet'],
  [
    /^(?:lora_)?transformer[._](?!resblocks)|(?:^|[._])(?:double_blocks|single_blocks|joint_blocks)[._]\d/,
    'for a diffusion transformer (Flux, SD3 and the like)',
  ],
];

/** kohya, diffusers (two spellings of it) and PEFT, which may name the adapter before `weight`. */
const MATRIX = /^(.+?)[._]lora(?:_linear_layer)?[._](down|A|up|B)(?:\.\w+)?\.(weight|bias)$/;
/** The rest; PEFT may name the adapter behind its own. */
const NAMED = /^(.+)\.(lora_mid\.weight|alpha|dora_scale|diff|diff_b|w_norm|b_norm)$/;
const FACTOR = /^(.+)\.((?:hada|lokr)_(?:w[12](?:_[ab])?|t[12])|lora_magnitude_vector)(?:\.\w+)?(?:\.weight)?$/;

const PARTS: Readonly<Record<string, LoraTensor>> = {
  ...{ down: 'down', A: 'down', up: 'up', B: 'up', 'lora_mid.weight': 'mid', alpha: 'alpha' },
  ...{ dora_scale: 'dora_scale', lora_magnitude_vector: 'magnitude' },
  ...{ diff: 'diff', diff_b: 'diff_b', w_norm: 'diff', b_norm: 'diff_b' },
  ...{ hada_w1_a: 'hada_w1_a', hada_w1_b: 'hada_w1_b', hada_w2_a: 'hada_w2_a', hada_w2_b: 'hada_w2_b' },
  ...{ hada_t1: 'hada_t1', hada_t2: 'hada_t2', lokr_w1: 'lokr_w1', lokr_w1_a: 'lokr_w1_a', lokr_w1_b: 'lokr_w1_b' },
  ...{ lokr_w2: 'lokr_w2', lokr_w2_a: 'lokr_w2_a', lokr_w2_b: 'lokr_w2_b', lokr_t2: 'lokr_t2' },
};

/** Which tensor of which module a path is; undefined where it is none of a LoRA. */
function tensorOf(path: string): { changed: string; part: LoraTensor } | undefined {
  const [, of, side = '', kind] = MATRIX.exec(path) ?? [];
  if (of !== undefined) {
    const part = PARTS[side];
    // A bias of the inner layer would be multiplied by the outer one; nobody writes such.
    if (kind === 'weight') return part && { changed: of, part };
    return part === 'up' ? { changed: of, part: 'up_bias' } : undefined;
  }
  const [, changed, tail = ''] = NAMED.exec(path) ?? FACTOR.exec(path) ?? [];
  const part = Object.hasOwn(PARTS, tail) ? PARTS[tail] : undefined;
  return changed !== undefined && part ? { changed, part } : undefined;
}

/** Reads the name of a tensor of a LoRA file, in kohya's, diffusers', PEFT's, LyCORIS' or ComfyUI's spelling. */
export function parseLoraKey(name: string): LoraKey {
  const { owner, path } = ownerOf(name);
  const foreign = FOREIGN.find(([pattern]) => pattern.test(name));
  if (foreign) return { owner, kind: 'foreign', what: foreign[1] };
  const found = tensorOf(path);
  if (!found) return { owner, kind: 'unknown' };
  return { owner, kind: 'matrix', module: moduleOf(owner, found.changed), path: found.changed, part: found.part };
}

const LCM = /(?:^|[^a-z])lcm(?:[^a-z]|$)/i;
/** Fields of `__metadata__` in which trainers write a LoRA's name. */
const TITLES = ['modelspec.title', 'modelspec.architecture', 'ss_output_name', 'name'];

/**
 * Whether a LoRA says that it is an LCM-LoRA: by the word "lcm" in its file's name, in the name of the folder that it
 * lies in (as in `lcm-lora-sdv1-5/pytorch_lora_weights.safetensors`), or in its title. Nothing in the matrices tells it.
 */
export function isLcmLora(path: string, metadata: ReadonlyMap<string, string>): boolean {
  const full = resolve(path);
  const names = [basename(full), basename(dirname(full)), ...TITLES.map((title) => metadata.get(title) ?? '')];
  return names.some((name) => LCM.test(name));
}
