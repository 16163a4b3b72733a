import {
  choice,
  constant,
  type DocumentOf,
  either,
  type FixedFields,
  flag,
  foreignObject,
  integer,
  isObject,
  type JsonObject,
  list,
  nullable,
  number,
  optional,
  readDocument,
  text,
  unbuiltFields,
  withDefault,
} from '../../src/documents/index.ts';
import { SlothfulError } from '../../src/errors.ts';
import { type Addition, additionWidth, type FamilyName, familyOf, familyTitles } from '../../src/families/index.ts';

/** One down or up block: `depths` has an entry a resnet, the number of transformer blocks after it (0: no attention). */
export interface BlockConfig {
  width: number;
  heads: number;
  depths: readonly number[];
}

/** The middle block: a resnet, or with `depth` transformer blocks two of them around those. */
export interface MidConfig {
  width: number;
  heads: number;
  depth: number;
}

/** A UNet2DConditionModel, told apart from how diffusers spells it: every per-block choice is written out. */
export interface UNetConfig {
  /** Told from the others; widths may be other ones than the real model's. */
  family: FamilyName;
  inChannels: number;
  outChannels: number;
  sampleSize: number;
  normGroups: number;
  normEps: number;
  contextDim: number;
  /** proj_in and proj_out are linear layers (SDXL kin) or 1x1 convolutions (SD1.x). */
  linearProjection: boolean;
  /** In the order of the data: down from the shallowest, up from the deepest. */
  down: readonly BlockConfig[];
  /** Null where there is none: from the deepest down block straight into the first up block. */
  mid: MidConfig | null;
  up: readonly BlockConfig[];
  addition: Addition | null;
  /** Width of the guidance scale's embedding that the model takes in the place of guidance; null where it takes none. */
  guidanceDim: number | null;
}

/** What a config may say that this architecture does not have; anything else is refused by name. */
const FIXED: FixedFields = [
  ['act_fn', ['silu', 'swish']],
  ['attention_type', ['default']],
  ['center_input_sample', [false]],
  ['class_embed_type', [null]],
  ['class_embeddings_concat', [false]],
  ['conv_in_kernel', [3]],
  ['conv_out_kernel', [3]],
  ['cross_attention_norm', [null]],
  ['downsample_padding', [1]],
  ['dual_cross_attention', [false]],
  ['encoder_hid_dim', [null]],
  ['encoder_hid_dim_type', [null]],
  ['flip_sin_to_cos', [true]],
  ['freq_shift', [0]],
  ['mid_block_only_cross_attention', [null, false]],
  ['mid_block_scale_factor', [1]],
  ['num_class_embeds', [null]],
  ['only_cross_attention', [false]],
  ['resnet_out_scale_factor', [1]],
  ['resnet_skip_time_act', [false]],
  ['resnet_time_scale_shift', ['default']],
  ['time_embedding_act_fn', [null]],
  ['time_embedding_dim', [null]],
  ['time_embedding_type', ['positional']],
  ['timestep_post_act', [null]],
];

const COUNT = integer({ minimum: 1, maximum: 1_000_000 });
/** Most blocks that a config may have, so that no file makes us build without end. */
const MOST = 64;
/** A number for all blocks, or a list with one entry a block. */
const COUNTS = either([COUNT, list(COUNT, { minItems: 1, maxItems: MOST })]);
/** Most transformer blocks of one attention; SDXL has 10. */
const DEEPEST = 256;
const DEPTH = integer({ minimum: 0, maximum: DEEPEST });
const DEPTHS_OF_BLOCK = list(integer({ minimum: 1, maximum: DEEPEST }), { maxItems: MOST });
/** A number for all blocks, or an entry a block: a number, or a list with one entry a resnet. */
const DEPTHS = either([DEPTH, list(either([DEPTH, DEPTHS_OF_BLOCK]), { minItems: 1, maxItems: MOST })]);
const TYPES = list(text(), { minItems: 1, maxItems: MOST });

/** What of diffusers' UNet2DConditionModel config makes a difference here, with diffusers' defaults. */
const UNET_2D = foreignObject({
  block_out_channels: list(COUNT, { minItems: 1, maxItems: MOST }),
  down_block_types: TYPES,
  // Left out it is the usual one; null is none at all.
  mid_block_type: withDefault(
    nullable(choice(['UNetMidBlock2DCrossAttn', 'UNetMidBlock2D'])),
    'UNetMidBlock2DCrossAttn',
  ),
  time_cond_proj_dim: optional(COUNT),
  up_block_types: optional(TYPES),
  num_attention_heads: optional(COUNTS),
  // The number of heads too, for all that its name says.
  attention_head_dim: withDefault(COUNTS, 8),
  transformer_layers_per_block: withDefault(DEPTHS, 1),
  reverse_transformer_layers_per_block: optional(DEPTHS),
  layers_per_block: integer({ minimum: 1, maximum: MOST, default: 2 }),
  in_channels: withDefault(COUNT, 4),
  out_channels: withDefault(COUNT, 4),
  sample_size: withDefault(COUNTS, 64),
  norm_num_groups: withDefault(COUNT, 32),
  norm_eps: number({ exclusiveMinimum: 0, default: 1e-5 }),
  cross_attention_dim: COUNT,
  use_linear_projection: flag({ default: false }),
  addition_embed_type: optional(constant('text_time')),
  addition_time_embed_dim: optional(COUNT),
  projection_class_embeddings_input_dim: optional(COUNT),
});

type UNet2D = DocumentOf<typeof UNET_2D>;
type Depth = number | readonly number[];
type Refuse = (problem: string) => SlothfulError;

/** What a field says for all blocks, or for each, written out for each. */
function perBlock<T>(name: string, value: T | readonly T[], blocks: number, refuse: Refuse): readonly T[] {
  if (!isList(value)) return Array.from({ length: blocks }, () => value);
  if (value.length !== blocks) throw refuse(`${name} has ${value.length} entries for ${blocks} blocks`);
  return value;
}

function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}

function blockConfigs(
  types: readonly string[],
  known: { plain: string; attention: string },
  choose: { widths: readonly number[]; heads: readonly number[]; depths: readonly Depth[]; layers: number },
  refuse: Refuse,
): BlockConfig[] {
  return types.map((type, index) => {
    if (type !== known.plain && type !== known.attention) {
      const problem = `${JSON.stringify(type)} is not a block of ${familyTitles('or')}`;
      throw refuse(`down_block_types/up_block_types: ${problem}`);
    }
    const depth = type === known.plain ? 0 : (choose.depths[index] ?? 0);
    const depths = perBlock('transformer_layers_per_block', depth, choose.layers, refuse);
    return { width: choose.widths[index] ?? 0, heads: choose.heads[index] ?? 1, depths };
  });
}

function additionOf(config: UNet2D, refuse: Refuse): Addition | null {
  if (config.addition_embed_type === undefined) return null;
  const { addition_time_embed_dim: timeEmbedDim, projection_class_embeddings_input_dim: inputs } = config;
  if (timeEmbedDim === undefined) throw refuse('addition_time_embed_dim must be there for text_time');
  if (inputs === undefined) throw refuse('projection_class_embeddings_input_dim must be there for text_time');
  const textEmbedDim = inputs - additionWidth({ timeEmbedDim, textEmbedDim: 0 });
  if (textEmbedDim <= 0) throw refuse('projection_class_embeddings_input_dim is less than six size embeddings');
  return { timeEmbedDim, textEmbedDim };
}

function midDepth({ mid_block_type: type }: UNet2D, deepest: Depth, refuse: Refuse): number {
  if (type === 'UNetMidBlock2D') return 0;
  if (typeof deepest === 'number' && deepest > 0) return deepest;
  throw refuse(`transformer_layers_per_block ends with ${JSON.stringify(deepest)}, not with the middle block's number`);
}

function checkWidths(config: UNetConfig, refuse: Refuse): void {
  for (const { width, heads, depths } of [...config.down, ...config.up]) {
    if (width % config.normGroups) {
      throw refuse(`norm_num_groups: ${config.normGroups} groups do not divide a width of ${width}`);
    }
    if (depths.some((depth) => depth > 0) && width % heads) {
      throw refuse(`attention_head_dim: ${heads} heads do not divide a width of ${width}`);
    }
  }
}

const NO_MIDDLE = { depth: 0 } as const;

/** Most transformer blocks of a UNet in all, so that none is built without end; SDXL has 70. */
const MOST_TRANSFORMERS = 1024;

function checkCount({ down, mid, up }: UNetConfig, refuse: Refuse): void {
  const count = [...down, ...up].flatMap(({ depths }) => depths).reduce((sum, depth) => sum + depth, mid?.depth ?? 0);
  if (count <= MOST_TRANSFORMERS) return;
  throw refuse(
    `transformer_layers_per_block: makes ${count} transformer blocks in all, more than ${MOST_TRANSFORMERS}`,
  );
}

/** The models whose configs these are; saved by Flax they are of the same tensors. */
const CLASSES: readonly string[] = ['UNet2DConditionModel', 'ControlNetModel'].flatMap((name) => [name, `Flax${name}`]);

/** Refuses configs of other models, and of this one with what is not built. */
function checkArchitecture(fields: JsonObject, place: string): void {
  const { _class_name: className = 'UNet2DConditionModel' } = fields;
  if (typeof className !== 'string' || !CLASSES.includes(className)) {
    const problem = `describes a ${JSON.stringify(className)}, not a UNet2DConditionModel`;
    throw new SlothfulError('unsupported', place, problem);
  }
  for (const { name, value, harmless } of unbuiltFields(fields, FIXED)) {
    const problem = `${JSON.stringify(value)} is not in the ${familyTitles('and')} architecture`;
    const cure = `only ${harmless.map((item) => JSON.stringify(item)).join(' or ')} can be converted`;
    throw new SlothfulError('unsupported', `${place} "${name}"`, problem, cure);
  }
}

/**
 * Validates a diffusers UNet2DConditionModel config and writes every per-block choice out.
 *
 * `attention_head_dim` is the number of heads, as diffusers uses it.
 *
 * @throws SlothfulError `bad-checkpoint` or `unsupported`, naming the field
 * Source: diffusers, `UNet2DConditionModel.__init__`.
 */
export function parseUNetConfig(value: unknown, place = 'config.json'): UNetConfig {
  const cure = 'give the config of this checkpoint';
  if (!isObject(value)) throw new SlothfulError('bad-checkpoint', place, 'is not a JSON object', cure);
  checkArchitecture(value, place);
  const refuse: Refuse = (problem) => new SlothfulError('bad-checkpoint', place, problem, cure);
  const json = readDocument(UNET_2D, value, { place, code: 'bad-checkpoint', cure, nulls: 'absent' });
  const addition = additionOf(json, refuse);
  const blocks = blocksOf(json, refuse);
  const traits = {
    inChannels: json.in_channels,
    outChannels: json.out_channels,
    sampleSize: typeof json.sample_size === 'number' ? json.sample_size : 64,
    normGroups: json.norm_num_groups,
    normEps: json.norm_eps,
    contextDim: json.cross_attention_dim,
    linearProjection: json.use_linear_projection,
    ...blocks,
    addition,
    guidanceDim: json.time_cond_proj_dim ?? null,
  };
  const config: UNetConfig = { family: familyOf({ ...traits, mid: traits.mid ?? NO_MIDDLE }, place).name, ...traits };
  checkWidths(config, refuse);
  checkCount(config, refuse);
  return config;
}

/** Every choice a block, down from the shallowest and up from the deepest. */
function blocksOf(json: UNet2D, refuse: Refuse): Pick<UNetConfig, 'down' | 'mid' | 'up'> {
  const { block_out_channels: widths, layers_per_block: layers, up_block_types: upTypes } = json;
  const each = <T>(name: string, entry: T | readonly T[]) => perBlock(name, entry, widths.length, refuse);
  const heads = each('attention_head_dim', json.num_attention_heads ?? json.attention_head_dim);
  const depths = each<Depth>('transformer_layers_per_block', json.transformer_layers_per_block);
  const reversed = json.reverse_transformer_layers_per_block;
  const upDepths =
    reversed === undefined ? depths.toReversed() : each<Depth>('reverse_transformer_layers_per_block', reversed);
  const downTypes = each<string>('down_block_types', json.down_block_types);
  const down = { plain: 'DownBlock2D', attention: 'CrossAttnDownBlock2D' };
  const up = { plain: 'UpBlock2D', attention: 'CrossAttnUpBlock2D' };
  const rising = { widths: widths.toReversed(), heads: heads.toReversed(), depths: upDepths, layers: layers + 1 };
  return {
    down: blockConfigs(downTypes, down, { widths, heads, depths, layers }, refuse),
    mid:
      json.mid_block_type === null
        ? null
        : { width: widths.at(-1) ?? 0, heads: heads.at(-1) ?? 1, depth: midDepth(json, depths.at(-1) ?? 0, refuse) },
    up: upTypes ? blockConfigs(each<string>('up_block_types', upTypes), up, rising, refuse) : [],
  };
}
