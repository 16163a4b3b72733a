import { copyFile, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Graph } from '../src/graph/index.ts';

const FILES = ['vocab.json', 'embeddings.safetensors'] as const;

/**
 * Takes a pipeline's text table along: `text/vocab.json` and `text/embeddings.safetensors`, from which prompts of small
 * models are made without a text encoder. Does nothing where the checkpoint has none.
 */
export async function carryText(checkpoint: string, dir: string, graph: Graph): Promise<void> {
  const sources = FILES.map((file) => join(checkpoint, 'text', file));
  const found = await Promise.all(
    sources.map((path) =>
      stat(path).then(
        (entry) => entry.isFile(),
        () => false,
      ),
    ),
  );
  if (!found.every(Boolean)) return;
  await mkdir(join(dir, 'text'), { recursive: true });
  await Promise.all(FILES.map((file, index) => copyFile(sources[index] ?? '', join(dir, 'text', file))));
  graph.setMetadata({
    ...graph.metadata,
    text: { vocab: 'text/vocab.json', embeddings: 'text/embeddings.safetensors' },
  });
}
