import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync, inflateSync } from 'node:zlib';
import { anything, integer, list, object, parseJson, readDocument, table, text } from '../../src/documents/index.ts';
import type { FileChange, Files } from './plan.ts';
import type { TryId } from './tries.ts';
import { causeOf, type Fault } from './verdict.ts';

/** An input that broke a rule, as it is kept in a file. The files are all that a replay needs; the rest is for people. */
const CASE = object({
  target: text(),
  seed: integer(),
  index: integer(),
  kind: text(),
  detail: text(),
  changes: list(anything()),
  /** By their paths; deflated, in base64. */
  files: table(text()),
});

/** A case that is to be kept. */
export interface FoundCase {
  readonly id: TryId;
  readonly fault: Fault;
  readonly changes: readonly FileChange[];
  readonly files: Files;
}

/**
 * Keeps an input; of inputs of one cause the first is enough.
 *
 * @returns the file's path
 */
export async function saveCase(folder: string, { id, fault, changes, files }: FoundCase): Promise<string> {
  const cause = createHash('sha256').update(causeOf(id.target, fault)).digest('hex').slice(0, 8);
  const path = join(folder, `${id.target}-${fault.kind.replaceAll(' ', '-')}-${cause}.json`);
  if (existsSync(path)) return path;
  const packed = [...files].map(([name, bytes]) => [name, deflateSync(bytes).toString('base64')] as const);
  await mkdir(folder, { recursive: true });
  const document = { ...id, ...fault, changes, files: Object.fromEntries(packed) };
  await writeFile(path, `${JSON.stringify(document, undefined, 2)}\n`);
  return path;
}

/** An input that was kept. @throws SlothfulError `bad-input` where the file is something else */
export async function readCase(path: string): Promise<{ target: string; files: Files }> {
  const options = { place: path, code: 'bad-input', cure: 'give a file that this fuzzer has written' } as const;
  const { target, files } = readDocument(CASE, parseJson(await readFile(path, 'utf8'), options), options);
  const unpacked = Object.entries(files).map(
    ([name, packed]) => [name, inflateSync(Buffer.from(packed, 'base64'))] as const,
  );
  return { target, files: new Map(unpacked) };
}
