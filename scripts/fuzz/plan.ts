import fc from 'fast-check';
import { BYTES_CHANGE, type BytesChange, changeBytes } from './changes/bytes.ts';
import { changeJson, JSON_CHANGE, type JsonChange, printJson } from './changes/json.ts';
import { changePng, encodePngChunks, PNG_CHANGE, type PngChange, type PngChunk } from './changes/png.ts';
import { changeTensors, encodeTensors, TENSOR_CHANGE, type TensorChange, type TensorFile } from './changes/tensors.ts';
import { changeText, TEXT_CHANGE, type TextChange } from './changes/text.ts';

/** A file that is right, in the shape in which it is changed. */
export type Part =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'tensors'; readonly value: TensorFile }
  | { readonly kind: 'png'; readonly value: readonly PngChunk[] }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'bytes'; readonly value: Uint8Array };

/** Files by their paths that belong together: an input that is right. */
export type Base = Readonly<Record<string, Part>>;

/** The same as bytes: what is tried, kept and replayed. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** A change of one file. Those of its bytes come last, whatever stands first. */
export type FileChange = { readonly file: string } & (
  | { readonly on: 'json'; readonly change: JsonChange }
  | { readonly on: 'tensors'; readonly change: TensorChange }
  | { readonly on: 'png'; readonly change: PngChange }
  | { readonly on: 'text'; readonly change: TextChange }
  | { readonly on: 'bytes'; readonly change: BytesChange }
);

/** An input that is to be tried: a base, and what is changed of it. */
export interface Plan {
  readonly base: number;
  readonly changes: readonly FileChange[];
}

const MOST_CHANGES = 3;
/** Documents first, as what is wrong in their bytes hardly gets past the parser. */
const WEIGHT = { json: 4, tensors: 6, png: 3, text: 4, bytes: 1 } as const;

/** Plans for any of these bases. */
export function plansOf(bases: readonly Base[]): fc.Arbitrary<Plan> {
  return fc.oneof(
    ...bases.map((base, index) => {
      const changes = fc.oneof(...Object.entries(base).flatMap(([file, part]) => changesOf(file, part)));
      return fc.record({
        base: fc.constant(index),
        changes: fc.array(changes, { minLength: 1, maxLength: MOST_CHANGES }),
      });
    }),
  );
}

function changesOf(path: string, { kind }: Part): { weight: number; arbitrary: fc.Arbitrary<FileChange> }[] {
  const file = fc.constant(path);
  const of = <T extends FileChange['on']>(on: T) => fc.constant(on);
  const arbitraries = {
    json: fc.record({ file, on: of('json'), change: JSON_CHANGE }),
    tensors: fc.record({ file, on: of('tensors'), change: TENSOR_CHANGE }),
    png: fc.record({ file, on: of('png'), change: PNG_CHANGE }),
    text: fc.record({ file, on: of('text'), change: TEXT_CHANGE }),
    bytes: fc.record({ file, on: of('bytes'), change: BYTES_CHANGE }),
  };
  // A safetensors file is changed in its tensors, and in its header as it is written.
  const kinds = kind === 'tensors' ? (['tensors', 'json', 'bytes'] as const) : [...new Set([kind, 'bytes'] as const)];
  return kinds.map((each) => ({
    weight: each === 'json' && kind === 'tensors' ? 2 : WEIGHT[each],
    arbitrary: arbitraries[each],
  }));
}

/** The files of a base with some changes. */
export function filesOf(base: Base, changes: readonly FileChange[] = []): Files {
  return new Map(
    Object.entries(base).map(([path, part]) => {
      const own = changes.filter(({ file }) => file === path);
      const bytes = own.flatMap((each) => (each.on === 'bytes' ? [each.change] : []));
      return [path, bytes.reduce(changeBytes, encoded(part, own))];
    }),
  );
}

function encoded(part: Part, own: readonly FileChange[]): Uint8Array {
  const json = own.flatMap((each) => (each.on === 'json' ? [each.change] : []));
  switch (part.kind) {
    case 'bytes':
      return part.value;
    case 'json':
      return Buffer.from(printJson(json.reduce<unknown>(changeJson, part.value)));
    case 'tensors': {
      const tensors = own.flatMap((each) => (each.on === 'tensors' ? [each.change] : []));
      return encodeTensors(tensors.reduce(changeTensors, part.value), json);
    }
    case 'png':
      return encodePngChunks(
        own.reduce((chunks, each) => (each.on === 'png' ? changePng(chunks, each.change) : chunks), part.value),
      );
    case 'text':
      return Buffer.from(
        own.reduce((text, each) => (each.on === 'text' ? changeText(text, each.change) : text), part.value),
      );
  }
}
