import type { Checkpoint, CheckpointKind } from '../checkpoint/index.ts';
import type { NamedTensors, TensorSource } from '../weights/index.ts';
import { layoutOfLdm, ldmNames } from './ldm-names.ts';

const LDM_PREFIXES = ['model.diffusion_model.', ''] as const;

/** How a UNet's tensors are spelled, and the prefix that is theirs; undefined where there is no UNet. */
function spelling(names: readonly string[]): { layout: Checkpoint['layout']; prefix: string } | undefined {
  const has = (start: string) => names.some((name) => name.startsWith(start));
  const prefix = LDM_PREFIXES.find((start) => has(`${start}input_blocks.`) && has(`${start}output_blocks.`));
  if (prefix !== undefined) return { layout: 'ldm', prefix };
  return has('down_blocks.') && has('up_blocks.') ? { layout: 'diffusers', prefix: '' } : undefined;
}

/** How a UNet is told from other checkpoints. */
export const UNET: CheckpointKind = {
  what: 'Stable Diffusion UNet',
  spelling,
  cure: 'give a diffusers UNet folder or a single-file checkpoint',
};

/**
 * A checkpoint's tensors by diffusers names.
 *
 * @throws SlothfulError `bad-checkpoint` where the blocks of a single file are not regular
 */
export function unetTensors(checkpoint: Pick<Checkpoint, 'layout' | 'prefix' | 'tensors' | 'path'>): NamedTensors {
  const { layout, prefix, tensors, path } = checkpoint;
  if (layout === 'diffusers') return { tensors, unknown: [], nameInFile: (name) => name };
  const { toDiffusers, toLdm } = ldmNames(layoutOfLdm([...tensors.keys()], path));
  const renamed = new Map<string, TensorSource>();
  const unknown: string[] = [];
  for (const [name, source] of tensors) {
    const diffusers = toDiffusers(name);
    if (diffusers === undefined) unknown.push(source.name);
    else renamed.set(diffusers, source);
  }
  return { tensors: renamed, unknown, nameInFile: (name) => `${prefix}${toLdm(name) ?? name}` };
}
