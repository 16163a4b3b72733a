import type { Checkpoint, CheckpointKind } from '../checkpoint/index.ts';
import type { NamedTensors, TensorSource } from '../weights/index.ts';

const PREFIXES = ['first_stage_model.', ''] as const;

/** How a VAE is told from what else is in a file. */
export const VAE: CheckpointKind = {
  what: 'VAE',
  cure: 'give a diffusers VAE or pipeline folder, or a single-file checkpoint',
  folder: 'vae',
  spelling(names) {
    const all = new Set(names);
    const prefix = PREFIXES.find((start) => all.has(`${start}decoder.conv_in.weight`));
    if (prefix === undefined || all.has(`${prefix}decoder.layers.0.weight`)) return undefined;
    const isLdm = names.some((name) => name.startsWith(`${prefix}decoder.mid.block_1.`));
    return { layout: isLdm ? 'ldm' : 'diffusers', prefix };
  },
};

/** Names inside a half of the network, LDM's and diffusers'; `#` is a number that both have. */
const MODULES: ReadonlyArray<readonly [ldm: string, diffusers: string]> = [
  ['norm_out', 'conv_norm_out'],
  ['mid.block_1', 'mid_block.resnets.0'],
  ['mid.block_2', 'mid_block.resnets.1'],
  ['mid.attn_1', 'mid_block.attentions.0'],
  ['down.#.block.#', 'down_blocks.#.resnets.#'],
  ['down.#.downsample', 'down_blocks.#.downsamplers.0'],
  ['up.#.block.#', 'up_blocks.#.resnets.#'],
  ['up.#.upsample', 'up_blocks.#.upsamplers.0'],
];

const IN_ATTENTION: ReadonlyMap<string, string> = new Map([
  ['norm', 'group_norm'],
  ['q', 'to_q'],
  ['k', 'to_k'],
  ['v', 'to_v'],
  ['proj_out', 'to_out.0'],
]);

/** What diffusers called them before 0.17. */
const OLDER: ReadonlyMap<string, string> = new Map([
  ['query', 'to_q'],
  ['key', 'to_k'],
  ['value', 'to_v'],
  ['proj_attn', 'to_out.0'],
]);

/**
 * A VAE's tensors by diffusers' names.
 *
 * @param half the side of the network to keep; the other's are passed over
 */
export function vaeTensors(
  { layout, prefix, tensors }: Pick<Checkpoint, 'layout' | 'prefix' | 'tensors'>,
  half: 'encoder' | 'decoder',
): NamedTensors {
  const levels = levelsOf([...tensors.keys()]);
  const toDiffusers = layout === 'ldm' ? (name: string) => fromLdm(name, levels) : fromOlder;
  const found = new Map<string, TensorSource>();
  for (const [name, source] of tensors) {
    const renamed = toDiffusers(name);
    if (belongs(renamed, half)) found.set(renamed, source);
  }
  const inFile = layout === 'ldm' ? (name: string) => toLdm(name, levels) : (name: string) => name;
  return { tensors: found, unknown: [], nameInFile: (name) => `${prefix}${inFile(name)}` };
}

/** What is neither half's is left over in both, so that it is refused. */
function belongs(name: string, half: 'encoder' | 'decoder'): boolean {
  const other = half === 'encoder' ? /^(?:decoder|post_quant_conv)\./ : /^(?:encoder|quant_conv)\./;
  return !other.test(name);
}

/** How many levels the decoder has: LDM counts them from the top, diffusers in the order of the data. */
function levelsOf(names: readonly string[]): number {
  return names.reduce((most, name) => {
    const [, level] = /^decoder\.up\.(\d{1,2})\./.exec(name) ?? [];
    return Math.max(most, level === undefined ? 0 : Number(level) + 1);
  }, 0);
}

/** Splits `encoder.down.0.block.1.conv1.weight` into side, module and rest by one of the two spellings. */
function rename(name: string, from: 0 | 1, levels: number): string {
  const [, side = '', inside = ''] = /^(encoder|decoder)\.(.+)$/.exec(name) ?? [];
  for (const pair of MODULES) {
    const pattern = pair[from].replaceAll('.', '\\.').replaceAll('#', '(\\d{1,2})');
    const match = new RegExp(`^${pattern}\\.(.+)$`).exec(inside);
    if (!match) continue;
    const numbers = match.slice(1, -1).map(Number);
    if (pair[0].startsWith('up.')) numbers[0] = levels - 1 - (numbers[0] ?? 0);
    const module = pair[1 - from]?.replaceAll('#', () => String(numbers.shift()));
    return `${side}.${module}.${match.at(-1)}`;
  }
  return name;
}

function fromLdm(name: string, levels: number): string {
  const renamed = rename(name, 0, levels).replace(/\.nin_shortcut\./, '.conv_shortcut.');
  return inAttention(renamed, (module) => IN_ATTENTION.get(module));
}

function fromOlder(name: string): string {
  return inAttention(name, (module) => OLDER.get(module));
}

function toLdm(name: string, levels: number): string {
  const theirs = inAttention(name, (module) => [...IN_ATTENTION].find(([, diffusers]) => diffusers === module)?.[0]);
  return rename(theirs, 1, levels).replace(/\.conv_shortcut\./, '.nin_shortcut.');
}

/** Renames the modules of the attention, which is called by diffusers' name. */
function inAttention(name: string, rename: (module: string) => string | undefined): string {
  return name.replace(
    /^(\w+\.mid_block\.attentions\.0\.)(.+)\.(weight|bias)$/,
    (whole, start: string, module: string, kind: string) => {
      const renamed = rename(module);
      return renamed === undefined ? whole : `${start}${renamed}.${kind}`;
    },
  );
}
