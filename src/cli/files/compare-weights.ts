import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { locateWeights } from '../../graph/index.ts';
import type { ModelFile } from '../../models/node.ts';
import { comparableWeights, type WeightComparison } from '../../reports/index.ts';

/**
 * Compares the bytes of the weights that two models both have, one weight in memory at a time. Weights at the same place
 * of the same file (patched models share theirs by hard links) are equal without reading.
 *
 * @param onProgress told how many weights are done, of how many
 * @throws SlothfulError `io`, `bad-model` where files are missing or too short
 */
export async function compareWeights(
  a: ModelFile,
  b: ModelFile,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<WeightComparison> {
  const names = comparableWeights(a.graph, b.graph);
  const [inA, inB] = [await placesOf(a), await placesOf(b)];
  const isShared = (name: string) => inA.has(name) && inA.get(name) === inB.get(name);
  const rest = new Set(names.filter((name) => !isShared(name)));
  let done = 0;
  const tick = () => onProgress(++done, 2 * rest.size);
  const digests = await digestsOf(a, rest, tick);
  const others = await digestsOf(b, rest, tick);
  const isEqual = (name: string) => isShared(name) || digests.get(name) === others.get(name);
  return {
    equal: names.filter(isEqual),
    different: names.filter((name) => !isEqual(name)),
    shared: names.length - rest.size,
  };
}

async function digestsOf(file: ModelFile, wanted: ReadonlySet<string>, tick: () => void): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  if (!wanted.size) return digests;
  for await (const { spec, bytes } of file.weights(wanted)) {
    digests.set(spec.name, createHash('sha256').update(bytes).digest('hex'));
    tick();
  }
  return digests;
}

/** Where on disk each weight lies: its files and the offset in them. Empty for a model behind a URL. */
async function placesOf({ graph, store }: ModelFile): Promise<Map<string, string>> {
  const { folder } = store;
  if (folder === undefined) return new Map();
  const files = await Promise.all(
    graph.weightGroups.map(({ paths }) => Promise.all(paths.map((path) => identity(join(folder, path))))),
  );
  return new Map(
    [...locateWeights(graph.weightGroups)].map(([name, { group, offset }]) => [
      name,
      `${files[group]?.join(' ')} at ${offset}`,
    ]),
  );
}

/** Device and number of a file; the path where it cannot be asked, which no other model has. */
async function identity(path: string): Promise<string> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return path;
  }
}
