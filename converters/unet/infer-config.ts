import { SlothfulError } from '../../src/errors.ts';
import {
  type Addition,
  additionWidth,
  FAMILIES,
  type Family,
  familyOf,
  REFINER_ADDITION_WIDTH,
  SD2,
  type UNetTraits,
} from '../../src/families/index.ts';
import { countBlocks } from '../weights/index.ts';
import { parseUNetConfig, type UNetConfig } from './config.ts';
import { layoutOfDiffusers } from './ldm-names.ts';

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** Reads a UNet's structure off its tensors, by their diffusers names. */
class Inference {
  private readonly names: readonly string[];
  /** By attention, the numbers of its transformer blocks. */
  private readonly transformers = new Map<string, Set<number>>();

  constructor(
    private readonly tensors: Shapes,
    private readonly place: string,
  ) {
    this.names = [...tensors.keys()];
    for (const name of this.names) {
      const [, list, number] = /^(.+\.transformer_blocks)\.(\d+)\./.exec(name) ?? [];
      if (list === undefined) continue;
      const numbers = this.transformers.get(list) ?? new Set();
      this.transformers.set(list, numbers.add(Number(number)));
    }
  }

  unsupported(problem: string, cure: string): never {
    throw new SlothfulError('unsupported', this.place, problem, cure);
  }

  /** One size of a tensor that every UNet has. */
  size(name: string, dimension: number): number {
    const tensor = this.tensors.get(name);
    const size = tensor?.shape[dimension];
    if (size !== undefined) return size;
    const problem = tensor ? `"${name}" has the shape [${tensor.shape.join(', ')}]` : `has no tensor "${name}"`;
    throw new SlothfulError('bad-checkpoint', this.place, problem, 'the checkpoint is incomplete: download it again');
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  rank(name: string): number | undefined {
    return this.tensors.get(name)?.shape.length;
  }

  find(pattern: RegExp): string | undefined {
    return this.names.find((name) => pattern.test(name));
  }

  /** Transformer blocks of the attention `prefix`, 0 where there is none. */
  depth(prefix: string): number {
    const list = `${prefix}.transformer_blocks`;
    return countBlocks(this.transformers.get(list) ?? new Set(), list, this.place);
  }

  depths(block: string, layers: number): number[] {
    return Array.from({ length: layers }, (_, layer) => this.depth(`${block}.attentions.${layer}`));
  }
}

/** diffusers' spelling of a block's depths: a number where all are the same. */
function spellDepths(depths: readonly number[]): number | readonly number[] {
  const [first = 0] = depths;
  return depths.every((depth) => depth === first) ? first : depths;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** Where heads have a width, attending widths must be whole numbers of it. */
function headsOf(
  inference: Inference,
  { heads }: Pick<Family, 'heads'>,
  widths: readonly number[],
  attending: readonly number[],
): number[] {
  if ('count' in heads) return widths.map(() => heads.count);
  const odd = attending.find((width) => width % heads.width);
  if (odd !== undefined) {
    inference.unsupported(
      `an attention of width ${odd} is not a whole number of ${heads.width}-wide heads, and tensors alone cannot tell the heads`,
      'give the config.json of its UNet with --config',
    );
  }
  return widths.map((width) => Math.max(1, Math.floor(width / heads.width)));
}

/** The width of the added embedding does not say how much of it is text: families do, by that width. */
function additionOf(inference: Inference): Addition | null {
  if (!inference.has('add_embedding.linear_1.weight')) return null;
  const width = inference.size('add_embedding.linear_1.weight', 1);
  const known = FAMILIES.flatMap(({ generation, addition }) => (addition ? [{ generation, addition }] : []));
  const found = known.find(({ addition }) => additionWidth(addition) === width);
  if (found) return found.addition;
  if (width === REFINER_ADDITION_WIDTH) inference.unsupported('is the SDXL refiner', 'give the base model');
  const widths = new Set(known.map(({ generation, addition }) => `${generation}'s ${additionWidth(addition)}`));
  return inference.unsupported(
    `its added embedding is ${width} wide, not ${[...widths].join(' or ')}, and tensors alone cannot tell text from sizes`,
    'give the config.json of its UNet with --config',
  );
}

function additionFields(addition: Addition | null): Record<string, unknown> {
  if (!addition) return {};
  return {
    addition_embed_type: 'text_time',
    addition_time_embed_dim: addition.timeEmbedDim,
    projection_class_embeddings_input_dim: additionWidth(addition),
  };
}

/** What goes with the projections: of the UNet's own family, where it has such projections, else of one that has. */
function headsWith(linearProjection: boolean, family: Family): Family {
  return [family, ...FAMILIES].find((each) => each.linearProjection === linearProjection) ?? family;
}

/** The projection of the guidance scale's embedding. */
const GUIDANCE = 'time_embedding.cond_proj.weight';

/** Parts that other UNets have; their names in the config make its validation refuse them by name. */
function foreignParts(inference: Inference): Record<string, unknown> {
  return {
    class_embed_type: inference.find(/^class_embedding\./) ? 'projection' : null,
    encoder_hid_dim_type: inference.find(/^encoder_hid_proj\./) ? 'projection' : null,
  };
}

function contextOf(inference: Inference, crossAttention: string | undefined): number {
  if (crossAttention === undefined) {
    return inference.unsupported('has no cross-attention', 'only text-conditioned UNets can be converted');
  }
  const context = inference.size(crossAttention, 1);
  if (context === SD2.contextDim) {
    inference.unsupported(
      `its text embeddings are ${context} wide: it is ${SD2.generation}, whose heads and prediction type tensors cannot tell`,
      'give the config.json of its UNet with --config',
    );
  }
  return context;
}

interface Depths {
  readonly down: readonly (readonly number[])[];
  readonly up: readonly (readonly number[])[];
  readonly mid: number;
}

function attends(depths: readonly number[]): boolean {
  return depths.some((depth) => depth > 0);
}

/**
 * Blocks and depths as diffusers spells them. The deepest entry also stands for the middle block; a block without
 * attention ignores its entry.
 */
function blockFields(inference: Inference, { down, up, mid }: Depths): Record<string, unknown> {
  const perDown = down.map((depths) => (attends(depths) ? spellDepths(depths) : 1));
  const deepest = down.at(-1) ?? [];
  if (mid > 0 && attends(deepest) && spellDepths(deepest) !== mid) {
    inference.unsupported(
      `the middle has ${mid} transformer blocks and the deepest down block ${deepest.join(', ')}`,
      'diffusers has no such UNet',
    );
  }
  if (mid > 0) perDown[perDown.length - 1] = mid;
  return {
    down_block_types: down.map((depths) => (attends(depths) ? 'CrossAttnDownBlock2D' : 'DownBlock2D')),
    up_block_types: up.map((depths) => (attends(depths) ? 'CrossAttnUpBlock2D' : 'UpBlock2D')),
    mid_block_type:
      mid > 0 ? 'UNetMidBlock2DCrossAttn' : inference.has('mid_block.resnets.0.conv1.weight') ? 'UNetMidBlock2D' : null,
    transformer_layers_per_block: perDown,
    reverse_transformer_layers_per_block: up.map((depths) => (attends(depths) ? spellDepths(depths) : 1)),
  };
}

/**
 * Tells a UNet's config from its tensors alone: widths, layers, depths per attention, context, projections. Heads and
 * sizes are those of its family, which is told first; groups are the most up to 32 that divide every width.
 *
 * @param tensors shapes by diffusers names
 * @param place the checkpoint, for messages
 * @throws SlothfulError `bad-checkpoint` for missing tensors, `unsupported` for what needs `--config` or is another model
 */
export function inferUNetConfig(tensors: Shapes, place: string): UNetConfig {
  const inference = new Inference(tensors, place);
  const { blocks, layers } = layoutOfDiffusers([...tensors.keys()], place);
  const numbers = Array.from({ length: blocks }, (_, block) => block);
  const widths = numbers.map((block) => inference.size(`down_blocks.${block}.resnets.0.conv1.weight`, 0));
  const depths: Depths = {
    down: numbers.map((block) => inference.depths(`down_blocks.${block}`, layers)),
    up: numbers.map((block) => inference.depths(`up_blocks.${block}`, layers + 1)),
    mid: inference.depth('mid_block.attentions.0'),
  };
  const traits = traitsOf(inference, widths, depths);
  const family = familyOf(traits, place);
  const attending = widths.filter((_, block) =>
    attends([...(depths.down[block] ?? []), ...(depths.up.at(-1 - block) ?? [])]),
  );
  const deepest = depths.mid > 0 ? widths.slice(-1) : [];
  const alike = headsWith(traits.linearProjection, family);
  const json = {
    ...foreignParts(inference),
    ...blockFields(inference, depths),
    ...additionFields(traits.addition),
    block_out_channels: widths,
    layers_per_block: layers,
    attention_head_dim: headsOf(inference, alike, widths, [...attending, ...deepest]),
    cross_attention_dim: traits.contextDim,
    in_channels: traits.inChannels,
    out_channels: inference.size('conv_out.weight', 0),
    norm_num_groups: widths.reduce(gcd, 32),
    use_linear_projection: traits.linearProjection,
    sample_size: family.sampleSize,
    time_cond_proj_dim: inference.has(GUIDANCE) ? inference.size(GUIDANCE, 1) : null,
  };
  return parseUNetConfig(json, place);
}

function traitsOf(inference: Inference, widths: readonly number[], { down, mid }: Depths): UNetTraits {
  const contextDim = contextOf(inference, inference.find(/\.attn2\.to_k\.weight$/));
  const projection = inference.find(/\.attentions\.0\.proj_in\.weight$/);
  return {
    inChannels: inference.size('conv_in.weight', 1),
    contextDim,
    linearProjection: projection === undefined || inference.rank(projection) !== 4,
    down: widths.map((width, block) => ({ width, depths: down[block] ?? [] })),
    mid: { depth: mid },
    addition: additionOf(inference),
  };
}
