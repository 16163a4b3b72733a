/** LoRAs for the text encoders of the golden pipelines, and what they make of their weights, computed in doubles. */
import { join } from 'node:path';
import type { TextEncoderName } from '../../converters/index.ts';
import { fixture } from './fixtures.ts';
import { pseudoRandom } from './numbers.ts';
import type { PipelineName } from './pipeline-goldens.ts';
import { readSafetensors } from './safetensors.ts';
import { temporaryFolder } from './temporary.ts';
import { floats, type RawTensor, writeTensors } from './write-tensors.ts';

/** What a LoRA has for one weight, by its name in transformers. */
export interface TextTerm {
  readonly weight: string;
  readonly up: Float32Array;
  readonly down: Float32Array;
  readonly sizes: { readonly rows: number; readonly columns: number; readonly rank: number };
  readonly alpha: number;
}

/** The tensor names of a module in a file's spelling; undefined where it has none. */
export type Spelling = (module: string, part: 'down' | 'up' | 'alpha', which: TextEncoderName) => string | undefined;

const kohya =
  (prefixes: Readonly<Record<TextEncoderName, string>>): Spelling =>
  (module, part, which) =>
    `${prefixes[which]}_${module.replaceAll('.', '_')}.${part === 'alpha' ? part : `lora_${part}.weight`}`;

const dotted =
  (end: (part: 'down' | 'up') => string): Spelling =>
  (module, part, which) =>
    `${which}.${module}${part === 'alpha' ? '.alpha' : `${end(part)}.weight`}`;

const linear = dotted((part) => `.lora_linear_layer.${part}`);

/** How LoRA files spell a text encoder's modules. */
export const TEXT_SPELLINGS = {
  'kohya, of SD 1.5': kohya({ text_encoder: 'lora_te', text_encoder_2: 'lora_te2' }),
  'kohya, of SDXL': kohya({ text_encoder: 'lora_te1', text_encoder_2: 'lora_te2' }),
  'diffusers .lora_linear_layer': linear,
  'diffusers .lora.down': dotted((part) => `.lora.${part}`),
  PEFT: dotted((part) => (part === 'down' ? '.lora_A' : '.lora_B')),
  'PEFT with the name of the adapter': dotted((part) => `.lora_${part === 'down' ? 'A' : 'B'}.default`),
  'diffusers without text_model': (module, ...rest) => linear(module.replace('text_model.', ''), ...rest),
  'ComfyUI, generic': (module, part, which) => {
    const start = `text_encoders.${which === 'text_encoder' ? 'clip_l' : 'clip_g'}.transformer.`;
    return `${start}${module}.${part === 'alpha' ? part : `lora_${part}.weight`}`;
  },
  'PEFT, wrapped twice': (module, part, which) =>
    `${which}.base_model.model._orig_mod.${module}.${part === 'alpha' ? part : `lora_${part === 'down' ? 'A' : 'B'}.weight`}`,
  'old diffusers': (module, part, which) => {
    const [, path, name] = /^(.+\.self_attn\.)(q|k|v|out)_proj$/.exec(module) ?? [];
    if (path === undefined || part === 'alpha') return linear(module, part, which);
    return `${which}.${path}to_${name}_lora.${part}.weight`;
  },
} satisfies Readonly<Record<string, Spelling>>;

const CHANGED = /\.(?:self_attn\.\w+_proj|mlp\.fc[12])\.weight$|^text_projection\.weight$/;

/** A term for every linear layer of a golden text encoder, of several ranks. */
export function textTerms(name: PipelineName, which: TextEncoderName, seed = 1): TextTerm[] {
  const tensors = readSafetensors(fixture(`pipeline/${name}/${which}/model.safetensors`));
  const changed = [...tensors].filter(([weight]) => CHANGED.test(weight));
  return changed.map(([weight, { shape }], index) => {
    const [rows = 0, columns = 0] = shape;
    const rank = 2 + (index % 3);
    const values = (length: number, of: number) => pseudoRandom(length, seed + 2 * index + of).map((each) => each / 4);
    const matrices = { up: values(rows * rank, 0), down: values(rank * columns, 1) };
    return { weight, ...matrices, sizes: { rows, columns, rank }, alpha: rank / 2 + index / 8 };
  });
}

/** The tensors of a LoRA file with terms. */
export function textTensors(
  terms: readonly TextTerm[],
  which: TextEncoderName,
  spelling: Spelling,
): Map<string, RawTensor> {
  const entries = terms.flatMap(({ weight, up, down, sizes: { rows, columns, rank }, alpha }) => {
    const name = (part: 'down' | 'up' | 'alpha') => spelling(weight.replace(/\.weight$/, ''), part, which);
    return [
      [name('down'), floats([rank, columns], down)],
      [name('up'), floats([rows, rank], up)],
      [name('alpha'), floats([], [alpha])],
    ] as const;
  });
  return new Map(entries.flatMap(([name, tensor]) => (name === undefined ? [] : [[name, tensor] as const])));
}

/** A LoRA file of some tensors. */
export function loraFile(
  tensors: ReadonlyMap<string, RawTensor>,
  metadata?: Readonly<Record<string, string>>,
  name = 'lora.safetensors',
): string {
  const path = join(temporaryFolder(), name);
  writeTensors(path, tensors, metadata);
  return path;
}

/** What a term adds to its weight, row by row: `scale * alpha / rank * up * down`. */
export function differenceOf({ up, down, sizes: { rows, columns, rank }, alpha }: TextTerm, scale: number): number[] {
  return Array.from({ length: rows * columns }, (_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += (up[row * rank + k] ?? 0) * (down[k * columns + column] ?? 0);
    return ((scale * alpha) / rank) * sum;
  });
}

export const SD15_TERMS = textTerms('sd15', 'text_encoder');
export const SDXL_TERMS = {
  text_encoder: textTerms('sdxl', 'text_encoder'),
  text_encoder_2: textTerms('sdxl', 'text_encoder_2', 7),
} as const;

/** What a LoRA for SD 1.5 has for the text encoder, in kohya's spelling. */
export function sd15Text(): Map<string, RawTensor> {
  return textTensors(SD15_TERMS, 'text_encoder', TEXT_SPELLINGS['kohya, of SD 1.5']);
}

/** What a LoRA for SDXL has for both text encoders, in kohya's spelling. */
export function sdxlText(): Map<string, RawTensor> {
  const spelling = TEXT_SPELLINGS['kohya, of SDXL'];
  return new Map([
    ...textTensors(SDXL_TERMS.text_encoder, 'text_encoder', spelling),
    ...textTensors(SDXL_TERMS.text_encoder_2, 'text_encoder_2', spelling),
  ]);
}
