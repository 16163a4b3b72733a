import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parsePythonJson } from '../../../src/documents/index.ts';
import { takeApart } from '../changes/tensors.ts';
import type { Base, Files, Part } from '../plan.ts';

/** Where a fixture is. */
export function fixture(path: string): string {
  return fileURLToPath(new URL(`../../../fixtures/${path}`, import.meta.url));
}

/** A fixture's JSON, to be changed. */
export function jsonPart(path: string): Part {
  return { kind: 'json', value: parsePythonJson(readFileSync(fixture(path), 'utf8'), path) };
}

/** A fixture's tensors, to be changed. */
export function tensorsPart(path: string): Part {
  return { kind: 'tensors', value: takeApart(readFileSync(fixture(path))) };
}

/** A text, to be changed. */
export function textPart(text: string): Part {
  return { kind: 'text', value: text };
}

/** The files of a tokenizer. */
export function tokenizerBase(): Base {
  const folder = 'pipeline/sd15/tokenizer';
  return {
    'vocab.json': jsonPart(`${folder}/vocab.json`),
    'merges.txt': textPart(readFileSync(fixture(`${folder}/merges.txt`), 'utf8')),
    'tokenizer_config.json': jsonPart(`${folder}/tokenizer_config.json`),
    'special_tokens_map.json': jsonPart(`${folder}/special_tokens_map.json`),
  };
}

/** The text of a file of an input. */
export function textOf(files: Files, path: string): string {
  return new TextDecoder().decode(bytesOf(files, path));
}

/** The bytes of a file of an input. */
export function bytesOf(files: Files, path: string): Uint8Array {
  return files.get(path) ?? new Uint8Array();
}
