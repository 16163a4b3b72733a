import { familyTitles } from '../../src/families/index.ts';
import {
  type Checkpoint,
  type CheckpointKind,
  OTHER_CONTROLS,
  prefixesBefore,
  type Spelling,
} from '../checkpoint/index.ts';
import { layoutOfLdmHalf, ldmNames } from '../unet/index.ts';
import type { NamedTensors, TensorSource } from '../weights/index.ts';

/** What may stand before a ControlNet's names. */
const KNOWN = /^(?:(?:model|control_model|controlnet|net|pipe|pipeline)\.)*$/;

const CURE = `give a plain ControlNet of ${familyTitles('or')}: a diffusers folder, or a single file with control_model.*`;

function refused(names: readonly string[]): { problem: string; cure: string } | undefined {
  const other = OTHER_CONTROLS.find(([pattern]) => names.some((name) => pattern.test(name)));
  return other && { problem: `is ${other[1]}, which works in another way`, cure: CURE };
}

function spelling(names: readonly string[]): Spelling | undefined {
  const zeros = new Set(prefixesBefore(names, /zero_convs\.\d/));
  const known = (prefix: string) => KNOWN.test(prefix);
  const ldm = prefixesBefore(names, /input_hint_block\.\d/).find((prefix) => zeros.has(prefix) && known(prefix));
  if (ldm !== undefined) return { layout: 'ldm', prefix: ldm };
  const diffusers = prefixesBefore(names, /controlnet_cond_embedding\./).find(known);
  return diffusers === undefined ? undefined : { layout: 'diffusers', prefix: diffusers };
}

/** How a ControlNet is told from other checkpoints. */
export const CONTROLNET: CheckpointKind = {
  what: 'ControlNet',
  spelling,
  refused,
  cure: CURE,
};

/** The hint's convolutions in LDM's order, every second module of a list; in diffusers they are called by their place. */
function hintName(name: string, last: number): string | undefined {
  const [, index, rest] = /^input_hint_block\.(\d{1,3})\.(.+)$/.exec(name) ?? [];
  if (index === undefined) return undefined;
  const at = Number(index);
  const module = at === 0 ? 'conv_in' : at === last ? 'conv_out' : `blocks.${at / 2 - 1}`;
  return `controlnet_cond_embedding.${module}.${rest}`;
}

function zeroName(name: string): string | undefined {
  const [, index, rest] = /^zero_convs\.(\d{1,3})\.0\.(.+)$/.exec(name) ?? [];
  if (index !== undefined) return `controlnet_down_blocks.${index}.${rest}`;
  const [, middle] = /^middle_block_out\.0\.(.+)$/.exec(name) ?? [];
  return middle === undefined ? undefined : `controlnet_mid_block.${middle}`;
}

/** A ControlNet's tensors by their diffusers names. @throws SlothfulError `bad-checkpoint` where blocks are irregular */
export function controlNetTensors({
  layout,
  tensors,
  path,
}: Pick<Checkpoint, 'layout' | 'tensors' | 'path'>): NamedTensors {
  if (layout === 'diffusers') return { tensors, unknown: [], nameInFile: (name) => name };
  const names = [...tensors.keys()];
  const { toDiffusers } = ldmNames(layoutOfLdmHalf(names, path));
  const last = names.reduce(
    (most, name) => Math.max(most, Number(/^input_hint_block\.(\d+)\./.exec(name)?.[1] ?? 0)),
    0,
  );
  const renamed = new Map<string, TensorSource>();
  const unknown: string[] = [];
  for (const [name, source] of tensors) {
    const diffusers = hintName(name, last) ?? zeroName(name) ?? toDiffusers(name);
    if (diffusers === undefined) unknown.push(source.name);
    else renamed.set(diffusers, source);
  }
  return { tensors: renamed, unknown, nameInFile: (name) => name };
}
