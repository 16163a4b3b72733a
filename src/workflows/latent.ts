import { SlothfulError } from '../errors.ts';
import { SAMPLERS } from './classes.ts';
import { type FlatGraph, type FlatNode, nameOf } from './flat.ts';
import { numberOf, type Origin, originOf, takes, textOf } from './node-values.ts';
import type { WorkflowLatent } from './run.ts';

/** A latent, and the VAE that made it of a picture. */
export interface StartLatent {
  readonly latent: WorkflowLatent;
  readonly vae: Origin | null;
}

/**
 * What a chain of samplers starts from: a latent of zeros, or a picture; repeated or a part of a batch where nodes say so.
 *
 * @throws SlothfulError `unsupported` for a picture that another node has made, or a batch that is changed between samplers
 */
export function startLatent(graph: FlatGraph, sampler: FlatNode): StartLatent {
  const changes: FlatNode[] = [];
  let { node } = originOf(graph, sampler, 'latent_image');
  for (; takes(node, 'samples'); node = originOf(graph, node, 'samples').node) changes.unshift(node);
  if (SAMPLERS.includes(node.classType)) {
    const problem = `${changes.map(nameOf).join(', ')} between samplers is not built`;
    throw new SlothfulError('unsupported', graph.place, problem, 'bypass it');
  }
  const start = node.classType === 'VAEEncode' ? pictureOf(graph, node) : { latent: emptyOf(graph, node), vae: null };
  return { ...start, latent: changes.reduce((latent, change) => changed(graph, latent, change), start.latent) };
}

function emptyOf(graph: FlatGraph, node: FlatNode): WorkflowLatent {
  const size = { width: numberOf(graph, node, 'width'), height: numberOf(graph, node, 'height') };
  return { kind: 'empty', ...size, batch: numberOf(graph, node, 'batch_size'), batchIndex: null };
}

function pictureOf(graph: FlatGraph, node: FlatNode): StartLatent {
  const { node: picture } = originOf(graph, node, 'pixels');
  if (picture.classType !== 'LoadImage') {
    const problem = `${nameOf(node)} takes the picture of ${nameOf(picture)}, not one of a LoadImage`;
    throw new SlothfulError('unsupported', graph.place, problem, 'save that picture, and load it');
  }
  const latent = { kind: 'image', image: textOf(graph, picture, 'image'), batch: 1, batchIndex: null } as const;
  return { latent, vae: originOf(graph, node, 'vae') };
}

/** Source: ComfyUI, nodes.py, `LatentFromBatch` and `RepeatLatentBatch`. */
function changed(graph: FlatGraph, latent: WorkflowLatent, node: FlatNode): WorkflowLatent {
  const { batch, batchIndex } = latent;
  if (node.classType === 'RepeatLatentBatch') {
    const amount = numberOf(graph, node, 'amount');
    return { ...latent, batch: batch * amount, batchIndex: batchIndex && repeated(batchIndex, amount) };
  }
  const from = Math.min(batch - 1, numberOf(graph, node, 'batch_index'));
  const length = Math.min(batch - from, numberOf(graph, node, 'length'));
  const all = batchIndex ?? Array.from({ length: batch }, (_, index) => index);
  return { ...latent, batch: length, batchIndex: all.slice(from, from + length) };
}

/** The noises of copies are those behind. */
function repeated(batchIndex: readonly number[], amount: number): number[] {
  const offset = Math.max(...batchIndex) - Math.min(...batchIndex) + 1;
  return Array.from({ length: amount }, (_, copy) => batchIndex.map((index) => index + copy * offset)).flat();
}
