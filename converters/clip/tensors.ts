import type { Checkpoint, CheckpointKind } from '../checkpoint/index.ts';
import type { NamedTensors, TensorSource } from '../weights/index.ts';

/** The text encoders of a pipeline, by the names that diffusers gives their folders. */
export type TextEncoderName = 'text_encoder' | 'text_encoder_2';

/** A text encoder's tensors by transformers' names. */
export interface TextTensors extends NamedTensors {
  /** They are stored as OpenCLIP has them. */
  readonly openClip: boolean;
}

/** Where single files have transformers' names, and where they have OpenCLIP's. */
const CLIP_PREFIXES: Readonly<Record<TextEncoderName, readonly string[]>> = {
  text_encoder: ['cond_stage_model.transformer.', 'conditioner.embedders.0.transformer.', ''],
  text_encoder_2: [''],
};
const OPEN_CLIP_PREFIXES: Readonly<Record<TextEncoderName, readonly string[]>> = {
  text_encoder: [],
  text_encoder_2: ['conditioner.embedders.1.model.', ''],
};

/** How a text encoder is told from what else is in a file. */
export function textEncoderKind(name: TextEncoderName): CheckpointKind {
  return {
    what: name === 'text_encoder' ? 'CLIP text encoder' : 'second CLIP text encoder',
    cure: 'give a diffusers pipeline folder or a single-file checkpoint',
    folder: name,
    spelling(names) {
      const all = new Set(names);
      const starts = ['text_model.embeddings.', 'embeddings.'];
      const clip = CLIP_PREFIXES[name].find((prefix) =>
        starts.some((start) => all.has(`${prefix}${start}token_embedding.weight`)),
      );
      if (clip !== undefined) return { layout: 'diffusers', prefix: clip };
      const open = OPEN_CLIP_PREFIXES[name].find((prefix) => all.has(`${prefix}token_embedding.weight`));
      return open === undefined ? undefined : { layout: 'ldm', prefix: open };
    },
  };
}

/** Buffers and parameters that no text encoder computes with. */
const IGNORED = /^(?:text_model\.)?embeddings\.position_ids$|^logit_scale$|^attn_mask$/;

const OUTSIDE: ReadonlyMap<string, string> = new Map([
  ['positional_embedding', 'text_model.embeddings.position_embedding.weight'],
  ['token_embedding.weight', 'text_model.embeddings.token_embedding.weight'],
  ['ln_final.weight', 'text_model.final_layer_norm.weight'],
  ['ln_final.bias', 'text_model.final_layer_norm.bias'],
  ['text_projection', 'text_projection.weight'],
]);

const INSIDE: ReadonlyMap<string, string> = new Map([
  ['ln_1', 'layer_norm1'],
  ['ln_2', 'layer_norm2'],
  ['mlp.c_fc', 'mlp.fc1'],
  ['mlp.c_proj', 'mlp.fc2'],
  ['attn.out_proj', 'self_attn.out_proj'],
]);

/** Queries, keys and values are one tensor in OpenCLIP, in this order. */
const STACKED = ['q_proj', 'k_proj', 'v_proj'] as const;

/** A text encoder's tensors by transformers' names, with `text_model.` whether they are stored with it or not. */
export function textEncoderTensors({
  layout,
  prefix,
  tensors,
}: Pick<Checkpoint, 'layout' | 'prefix' | 'tensors'>): TextTensors {
  const kept = [...tensors].filter(([name]) => !IGNORED.test(name));
  if (layout === 'diffusers') return { ...transformersTensors(kept, prefix), openClip: false };
  const found = new Map<string, TensorSource>();
  const unknown: string[] = [];
  for (const [name, source] of kept) {
    const named = openClipTensors(name, source);
    if (named.length === 0) unknown.push(source.name);
    for (const [each, part] of named) found.set(each, part);
  }
  return { tensors: found, unknown, nameInFile: (name) => `${prefix}${openClipName(name)}`, openClip: true };
}

function transformersTensors(tensors: ReadonlyArray<readonly [string, TensorSource]>, prefix: string): NamedTensors {
  const bare = tensors.some(([name]) => name.startsWith('embeddings.'));
  const isInside = (name: string) => !name.startsWith('text_projection.');
  const named = tensors.map(
    ([name, source]) => [bare && isInside(name) ? `text_model.${name}` : name, source] as const,
  );
  const nameInFile = (name: string) => `${prefix}${bare ? name.replace(/^text_model\./, '') : name}`;
  return { tensors: new Map(named), unknown: [], nameInFile };
}

function openClipTensors(name: string, source: TensorSource): Array<readonly [string, TensorSource]> {
  const outside = OUTSIDE.get(name);
  if (outside !== undefined) return [[outside, source]];
  const [, layer, module = '', kind = ''] =
    /^transformer\.resblocks\.(\d{1,3})\.(.+?)[._](weight|bias)$/.exec(name) ?? [];
  const start = `text_model.encoder.layers.${layer}.`;
  if (module === 'attn.in_proj') {
    const third = (source.shape[0] ?? 0) / STACKED.length;
    if (!Number.isInteger(third)) return [];
    return STACKED.map((part, index) => {
      return [`${start}self_attn.${part}.${kind}`, rowsOf(source, index * third, (index + 1) * third)];
    });
  }
  const inside = INSIDE.get(module);
  return inside === undefined ? [] : [[`${start}${inside}.${kind}`, source]];
}

/** What OpenCLIP calls a tensor of transformers'. */
function openClipName(name: string): string {
  const outside = [...OUTSIDE].find(([, theirs]) => theirs === name)?.[0];
  if (outside !== undefined) return outside;
  const [, layer, module = '', kind] = /^text_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
  const start = `transformer.resblocks.${layer}.`;
  if (/^self_attn\.[qkv]_proj$/.test(module)) return `${start}attn.in_proj_${kind}`;
  return `${start}${[...INSIDE].find(([, theirs]) => theirs === module)?.[0] ?? module}.${kind}`;
}

/** Some rows of a tensor as a tensor of their own. */
function rowsOf(source: TensorSource, from: number, to: number): TensorSource {
  const [rows = 1, ...rest] = source.shape;
  const bytes = (valueBytes: number) => rest.reduce((product, size) => product * size, valueBytes);
  const rowBytes = bytes(source.dtype === 'F32' ? 4 : 2);
  const begin = Math.min(from, rows) * rowBytes;
  return {
    ...source,
    shape: [to - from, ...rest],
    read: (into) => source.readRange(begin, to * rowBytes, into),
    readRange: (first, last, into) => source.readRange(begin + first, begin + last, into),
  };
}
