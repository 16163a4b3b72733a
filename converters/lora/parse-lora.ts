/** What a LoRA file says besides its matrices: its tensors' names, PEFT's settings, and whether it is an LCM-LoRA. */
import { basename, dirname, resolve } from 'node:path';
import {
  flag,
  foreignObject,
  isObject,
  number,
  optional,
  parseJson,
  readDocument,
  table,
} from '../../src/documents/index.ts';
import { SlothfulError } from '../../src/errors.ts';
import { type LoraOwner, type LoraPart, moduleOf, ownerOf } from './parts.ts';

/** What one tensor of a LoRA file is, by its name. */
export type LoraKey = { readonly owner: LoraOwner } & (
  | { readonly kind: 'matrix'; readonly module: string; readonly part: 'down' | 'up' | 'alpha' }
  | { readonly kind: 'foreign'; readonly what: string }
  | { readonly kind: 'unknown' }
);

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

/** kohya, diffusers (two spellings of it) and PEFT, which may name the adapter before `weight`. */
const MATRIX = /^(.+?)[._]lora(?:_linear_layer)?[._](down|A|up|B)(?:\.\w+)?\.weight$/;
const ALPHA = /^(.+)\.alpha$/;

/** Reads the name of a tensor of a LoRA file, in kohya's, diffusers' or PEFT's spelling. */
export function parseLoraKey(name: string): LoraKey {
  const { owner, path } = ownerOf(name);
  const foreign = FOREIGN.find(([pattern]) => pattern.test(name));
  if (foreign) return { owner, kind: 'foreign', what: foreign[1] };
  const [, changed, side] = MATRIX.exec(path) ?? [];
  if (changed !== undefined) {
    const part = side === 'down' || side === 'A' ? 'down' : 'up';
    return { owner, kind: 'matrix', module: moduleOf(owner, changed), part };
  }
  const [, scaled] = ALPHA.exec(path) ?? [];
  if (scaled === undefined) return { owner, kind: 'unknown' };
  return { owner, kind: 'matrix', module: moduleOf(owner, scaled), part: 'alpha' };
}

/** What newer diffusers releases keep of PEFT's settings beside the matrices. */
export interface AdapterConfig {
  /** The alpha of a module; undefined where the settings do not tell. */
  alphaOf(module: string): number | undefined;
  /** Divide alpha by the root of the rank, not by the rank. */
  readonly rankStabilised: boolean;
}

const SETTINGS = 'lora_adapter_metadata';

/** What of PEFT's settings counts when a LoRA is fused. Some writers put the part of the pipeline before each name. */
const ADAPTER_SETTINGS = foreignObject({
  lora_alpha: optional(number()),
  alpha_pattern: optional(table(number())),
  use_rslora: optional(flag()),
  use_dora: optional(flag()),
});

/**
 * Reads `lora_adapter_metadata` of a file's `__metadata__`, as it is for one part; undefined where there is none.
 *
 * @throws SlothfulError `bad-checkpoint` where it cannot be read, `unsupported` for DoRA and patterns
 * Source: diffusers, `save_lora_adapter`; PEFT, `LoraConfig`.
 */
export function parseAdapterConfig(
  metadata: ReadonlyMap<string, string>,
  file: string,
  part: LoraPart,
): AdapterConfig | undefined {
  const text = metadata.get(SETTINGS);
  if (text === undefined) return undefined;
  const place = `${file} "${SETTINGS}"`;
  const options = { place, code: 'bad-checkpoint', cure: 'download it again', nulls: 'absent' } as const;
  const json = ofPart(parseJson(text, options), `${part}.`);
  const { lora_alpha, alpha_pattern = {}, use_rslora, use_dora } = readDocument(ADAPTER_SETTINGS, json, options);
  if (use_dora) throw refusal(file, 'is a DoRA (use_dora)');
  const patterns = Object.entries(alpha_pattern).map(([name, alpha]) => ({
    module: moduleName(name, part, file),
    alpha,
  }));
  return {
    alphaOf: (module) =>
      patterns.find((each) => module === each.module || module.endsWith(`_${each.module}`))?.alpha ?? lora_alpha,
    rankStabilised: use_rslora === true,
  };
}

/** The settings of a part where those of several are told apart. */
function ofPart(settings: unknown, prefix: string): unknown {
  if (!isObject(settings)) return settings;
  const own = Object.entries(settings).filter(([name]) => name.startsWith(prefix));
  return { ...settings, ...Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value])) };
}

function moduleName(name: string, part: LoraPart, file: string): string {
  if (/^[\w.]+$/.test(name)) return moduleOf(part, ownerOf(name).path);
  throw refusal(file, `chooses alphas by the pattern "${name}"`);
}

function refusal(file: string, problem: string): SlothfulError {
  return new SlothfulError(
    'unsupported',
    file,
    problem,
    'fuse it into the checkpoint with diffusers, and convert that',
  );
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
