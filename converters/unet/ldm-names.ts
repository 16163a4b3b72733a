import { SlothfulError } from '../../src/errors.ts';

/** What the names of a UNet's tensors depend on: how many blocks, resnets a down block, and which up blocks attend. */
export interface BlockLayout {
  readonly blocks: number;
  readonly layers: number;
  /** In the order of the up blocks, deepest first. */
  readonly upAttention: readonly boolean[];
}

/** The two spellings of one module; in a resnet the names inside differ too, elsewhere they are the same. */
interface ModulePair {
  readonly ldm: string;
  readonly diffusers: string;
  readonly resnet?: boolean;
}

const OUTSIDE: readonly ModulePair[] = [
  { ldm: 'time_embed.0', diffusers: 'time_embedding.linear_1' },
  { ldm: 'time_embed.2', diffusers: 'time_embedding.linear_2' },
  { ldm: 'time_embed.cond_proj', diffusers: 'time_embedding.cond_proj' },
  { ldm: 'label_emb.0.0', diffusers: 'add_embedding.linear_1' },
  { ldm: 'label_emb.0.2', diffusers: 'add_embedding.linear_2' },
  { ldm: 'input_blocks.0.0', diffusers: 'conv_in' },
  { ldm: 'middle_block.0', diffusers: 'mid_block.resnets.0', resnet: true },
  { ldm: 'middle_block.1', diffusers: 'mid_block.attentions.0' },
  { ldm: 'middle_block.2', diffusers: 'mid_block.resnets.1', resnet: true },
  { ldm: 'out.0', diffusers: 'conv_norm_out' },
  { ldm: 'out.2', diffusers: 'conv_out' },
];

const INSIDE_RESNET: readonly ModulePair[] = [
  { ldm: 'in_layers.0', diffusers: 'norm1' },
  { ldm: 'in_layers.2', diffusers: 'conv1' },
  { ldm: 'emb_layers.1', diffusers: 'time_emb_proj' },
  { ldm: 'out_layers.0', diffusers: 'norm2' },
  { ldm: 'out_layers.3', diffusers: 'conv2' },
  { ldm: 'skip_connection', diffusers: 'conv_shortcut' },
];

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function downPairs({ blocks, layers }: BlockLayout, block: number): ModulePair[] {
  const pairs = range(layers).flatMap((layer) => {
    const ldm = `input_blocks.${1 + block * (layers + 1) + layer}`;
    return [
      { ldm: `${ldm}.0`, diffusers: `down_blocks.${block}.resnets.${layer}`, resnet: true },
      { ldm: `${ldm}.1`, diffusers: `down_blocks.${block}.attentions.${layer}` },
    ];
  });
  if (block === blocks - 1) return pairs;
  const ldm = `input_blocks.${(block + 1) * (layers + 1)}.0.op`;
  return [...pairs, { ldm, diffusers: `down_blocks.${block}.downsamplers.0.conv` }];
}

function upPairs({ blocks, layers, upAttention }: BlockLayout, block: number): ModulePair[] {
  const attends = upAttention[block] === true;
  const pairs = range(layers + 1).flatMap((layer): ModulePair[] => {
    const ldm = `output_blocks.${block * (layers + 1) + layer}`;
    const resnet = { ldm: `${ldm}.0`, diffusers: `up_blocks.${block}.resnets.${layer}`, resnet: true };
    return attends ? [resnet, { ldm: `${ldm}.1`, diffusers: `up_blocks.${block}.attentions.${layer}` }] : [resnet];
  });
  if (block === blocks - 1) return pairs;
  const ldm = `output_blocks.${(block + 1) * (layers + 1) - 1}.${attends ? 2 : 1}.conv`;
  return [...pairs, { ldm, diffusers: `up_blocks.${block}.upsamplers.0.conv` }];
}

type Spelling = 'ldm' | 'diffusers';

/** Renames by the longest known module that the name starts with, cut at a dot; undefined for a name of no module. */
function renamer(pairs: readonly ModulePair[], from: Spelling, to: Spelling) {
  const modules = new Map(pairs.map((pair) => [pair[from], pair]));
  return (name: string): string | undefined => {
    for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
      const pair = modules.get(name.slice(0, dot));
      if (!pair) continue;
      const rest = name.slice(dot + 1);
      if (!pair.resnet) return `${pair[to]}.${rest}`;
      const inside = INSIDE_RESNET.find((inner) => rest.startsWith(`${inner[from]}.`));
      return inside && `${pair[to]}.${inside[to]}${rest.slice(inside[from].length)}`;
    }
    return undefined;
  };
}

/** Both renamings for a layout; a name that is not a tensor of such a UNet gives undefined. */
export function ldmNames(layout: BlockLayout): {
  toDiffusers: (name: string) => string | undefined;
  toLdm: (name: string) => string | undefined;
} {
  const blocks = range(layout.blocks);
  const down = blocks.flatMap((block) => downPairs(layout, block));
  const pairs = [...OUTSIDE, ...down, ...blocks.flatMap((block) => upPairs(layout, block))];
  return { toDiffusers: renamer(pairs, 'ldm', 'diffusers'), toLdm: renamer(pairs, 'diffusers', 'ldm') };
}

/** The numbers that the first group of a pattern takes in the names. */
function indices(names: Iterable<string>, pattern: RegExp): Set<number> {
  const found = new Set<number>();
  for (const name of names) {
    const match = pattern.exec(name);
    if (match) found.add(Number(match[1]));
  }
  return found;
}

function countOf(found: ReadonlySet<number>): number {
  return found.size === 0 ? 0 : Math.max(...found) + 1;
}

/** The input blocks of LDM names: their number, how many a down block has, and the indices of the downsamplers. */
function inputBlocks(names: readonly string[]) {
  const inputs = countOf(indices(names, /^input_blocks\.(\d{1,3})\./));
  const downsamplers = [...indices(names, /^input_blocks\.(\d{1,3})\.0\.op\./)].sort((a, b) => a - b);
  const step = downsamplers[0] ?? inputs;
  const blocks = downsamplers.length + 1;
  const regular = step > 1 && downsamplers.every((index, block) => index === (block + 1) * step);
  return { inputs, step, blocks, downsamplers, regular: regular && inputs === blocks * step };
}

function irregular(place: string, { inputs, downsamplers }: ReturnType<typeof inputBlocks>, outputs: string): never {
  throw new SlothfulError(
    'bad-checkpoint',
    place,
    `has ${inputs} input_blocks with downsamplers at ${downsamplers.join(', ') || 'none'}${outputs}, ` +
      'which is not a regular UNet: tensors are missing or it is of another architecture',
  );
}

/**
 * Tells a layout from LDM names, without their prefix: the first downsampler says how many resnets a block has.
 *
 * @throws SlothfulError `bad-checkpoint` where the blocks are not regular
 */
export function layoutOfLdm(names: readonly string[], place: string): BlockLayout {
  const found = inputBlocks(names);
  const outputs = countOf(indices(names, /^output_blocks\.(\d{1,3})\./));
  if (!found.regular || outputs !== found.inputs) irregular(place, found, ` and ${outputs} output_blocks`);
  const { blocks, step } = found;
  const attending = indices(names, /^output_blocks\.(\d{1,3})\.1\.(?:norm|proj_in|proj_out|transformer_blocks)\./);
  const upAttention = range(blocks).map((block) => range(step).some((layer) => attending.has(block * step + layer)));
  return { blocks, layers: step - 1, upAttention };
}

/**
 * The same for the half of a UNet that a ControlNet is, which has no output blocks.
 *
 * @throws SlothfulError `bad-checkpoint` where the blocks are not regular
 */
export function layoutOfLdmHalf(names: readonly string[], place: string): BlockLayout {
  const found = inputBlocks(names);
  if (!found.regular) irregular(place, found, '');
  return { blocks: found.blocks, layers: found.step - 1, upAttention: [] };
}

/**
 * Tells a layout from diffusers names.
 *
 * @throws SlothfulError `bad-checkpoint` where there are no blocks
 */
export function layoutOfDiffusers(names: readonly string[], place: string): BlockLayout {
  const blocks = countOf(indices(names, /^down_blocks\.(\d{1,2})\./));
  const layers = countOf(indices(names, /^down_blocks\.\d{1,2}\.resnets\.(\d{1,2})\./));
  if (!blocks || !layers) throw new SlothfulError('bad-checkpoint', place, 'has no down_blocks with resnets');
  const attending = indices(names, /^up_blocks\.(\d{1,2})\.attentions\./);
  return { blocks, layers, upAttention: range(blocks).map((block) => attending.has(block)) };
}
