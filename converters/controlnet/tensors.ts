import { SlothfulError } from '../../src/errors.ts';
import { familyTitles } from '../../src/families/index.ts';
import type { Checkpoint, CheckpointKind } from '../checkpoint/index.ts';
import { layoutOfLdmHalf, ldmNames } from '../unet/index.ts';
import type { NamedTensors, TensorSource } from '../weights/index.ts';

const LDM_PREFIXES = ['control_model.', ''] as const;

/** Networks that are called ControlNets and are others, by names that only they have. */
const OTHERS: ReadonlyArray<readonly [pattern: RegExp, what: string]> = [
  [/^lora_controlnet$|^(?:input_blocks|middle_block)\..+\.(?:up|down)$/, 'a Control-LoRA'],
  [/^lllite_/, 'a ControlNet-LLLite'],
  [/^(?:task_embedding|control_type_proj|spatial_ch_projs)\b/, 'a ControlNet Union'],
  [/^(?:adapter\.)?body\.\d+\./, 'a T2I-Adapter'],
];

function spelling(names: readonly string[]): { layout: Checkpoint['layout']; prefix: string } | undefined {
  const other = OTHERS.find(([pattern]) => names.some((name) => pattern.test(name)));
  if (other) {
    const cure = `only plain ControlNets of ${familyTitles('and')} can be converted`;
    throw new SlothfulError('unsupported', 'checkpoint', `is ${other[1]}, which works in another way`, cure);
  }
  const has = (start: string) => names.some((name) => name.startsWith(start));
  const prefix = LDM_PREFIXES.find((start) => has(`${start}input_hint_block.`) && has(`${start}zero_convs.`));
  if (prefix !== undefined) return { layout: 'ldm', prefix };
  return has('controlnet_cond_embedding.') ? { layout: 'diffusers', prefix: '' } : undefined;
}

/** How a ControlNet is told from other checkpoints. */
export const CONTROLNET: CheckpointKind = {
  what: 'ControlNet',
  spelling,
  cure: 'give a diffusers ControlNet folder or a single file with control_model.*',
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
