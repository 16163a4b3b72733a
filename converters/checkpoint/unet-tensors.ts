import type { TensorSource } from '../weights/entry.ts';
import { layoutOfLdm, ldmNames } from './ldm-names.ts';
import type { Checkpoint } from './open.ts';

/** A UNet's tensors by their diffusers names, whatever the checkpoint calls them. */
export interface UNetTensors {
  readonly tensors: ReadonlyMap<string, TensorSource>;
  /** Names in the checkpoint that are no tensor of such a UNet. */
  readonly unknown: readonly string[];
  /** What the checkpoint would call a diffusers name: for messages about tensors that it lacks. */
  nameInFile(name: string): string;
}

/**
 * A checkpoint's tensors by diffusers names.
 *
 * @throws SlothfulError `bad-checkpoint` where the blocks of a single file are not regular
 */
export function unetTensors(checkpoint: Pick<Checkpoint, 'layout' | 'tensors' | 'path'>): UNetTensors {
  const { layout, tensors, path } = checkpoint;
  if (layout === 'diffusers') return { tensors, unknown: [], nameInFile: (name) => name };
  const { toDiffusers, toLdm } = ldmNames(layoutOfLdm([...tensors.keys()], path));
  const renamed = new Map<string, TensorSource>();
  const unknown: string[] = [];
  let prefix = '';
  for (const [name, source] of tensors) {
    const diffusers = toDiffusers(name);
    prefix = source.name.slice(0, source.name.length - name.length);
    if (diffusers === undefined) unknown.push(source.name);
    else renamed.set(diffusers, source);
  }
  return { tensors: renamed, unknown, nameInFile: (name) => `${prefix}${toLdm(name) ?? name}` };
}
