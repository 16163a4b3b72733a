import { SlothfulError } from '../../src/errors.ts';
import { isObject } from '../../src/graph/index.ts';

/** The model families that the toolkit knows by name; `custom` is another width or depth of the same architecture. */
export type Family = 'sd15' | 'sdxl' | 'ssd1b';

/** One down or up block: `depths` has an entry a resnet, the number of transformer blocks after it (0: no attention). */
export interface BlockConfig {
  width: number;
  heads: number;
  depths: readonly number[];
}

/** SDXL's added conditioning: pooled text and six sizes, embedded and added to the time embedding. */
export interface AdditionConfig {
  /** Width of each of the six sinusoidal embeddings. */
  timeEmbedDim: number;
  /** Width of `text_embeds`. */
  textEmbedDim: number;
}

/** A UNet2DConditionModel, told apart from how diffusers spells it: every per-block choice is written out. */
export interface UNetConfig {
  family: Family;
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
  mid: { width: number; heads: number; depth: number };
  up: readonly BlockConfig[];
  addition: AdditionConfig | null;
}

type Json = Record<string, unknown>;

/** What a config may say that this architecture does not have; anything else is refused by name. */
const FIXED: ReadonlyArray<readonly [name: string, allowed: readonly unknown[]]> = [
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
  ['time_cond_proj_dim', [null]],
  ['time_embedding_act_fn', [null]],
  ['time_embedding_dim', [null]],
  ['time_embedding_type', ['positional']],
  ['timestep_post_act', [null]],
];

/** Reads one field after the other and names the one that is wrong. */
class ConfigReader {
  constructor(
    private readonly json: Json,
    private readonly place: string,
  ) {}

  fail(name: string, problem: string): never {
    throw new SlothfulError('bad-checkpoint', `${this.place} "${name}"`, problem, 'give the config of this checkpoint');
  }

  value(name: string): unknown {
    return this.json[name];
  }

  positiveInt(name: string, fallback?: number): number {
    return this.asPositiveInt(name, this.json[name] ?? fallback);
  }

  asPositiveInt(name: string, value: unknown): number {
    if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 1_000_000) return value;
    return this.fail(name, `expected a positive whole number, got ${JSON.stringify(value)}`);
  }

  list(name: string): readonly unknown[] {
    const value = this.json[name];
    if (Array.isArray(value) && value.length > 0 && value.length <= 64) return value;
    return this.fail(name, `expected a list, got ${JSON.stringify(value)}`);
  }

  /** A number for all blocks, or a list with one entry a block. */
  perBlock(name: string, value: unknown, blocks: number): readonly unknown[] {
    if (!Array.isArray(value)) return Array.from({ length: blocks }, () => value);
    if (value.length !== blocks) this.fail(name, `has ${value.length} entries for ${blocks} blocks`);
    return value;
  }

  checkFixed(): void {
    for (const [name, allowed] of FIXED) {
      const value = this.json[name];
      if (value === undefined || allowed.includes(value)) continue;
      throw new SlothfulError(
        'unsupported',
        `${this.place} "${name}"`,
        `${JSON.stringify(value)} is not in the SD1.5, SDXL and SSD-1B architecture`,
        `only ${allowed.map((item) => JSON.stringify(item)).join(' or ')} can be converted`,
      );
    }
  }
}

function depthsOf(reader: ConfigReader, name: string, entry: unknown, layers: number): number[] {
  const items = reader.perBlock(name, entry, layers);
  return items.map((item) => reader.asPositiveInt(name, item));
}

function blockConfigs(
  reader: ConfigReader,
  types: readonly unknown[],
  known: { plain: string; attention: string },
  choose: { widths: readonly number[]; heads: readonly number[]; depths: readonly unknown[]; layers: number },
): BlockConfig[] {
  return types.map((type, index) => {
    if (type !== known.plain && type !== known.attention) {
      reader.fail('down_block_types/up_block_types', `${JSON.stringify(type)} is not a block of SD1.5, SDXL or SSD-1B`);
    }
    const entry = type === known.plain ? 0 : choose.depths[index];
    const depths =
      entry === 0
        ? Array.from({ length: choose.layers }, () => 0)
        : depthsOf(reader, 'transformer_layers_per_block', entry, choose.layers);
    return { width: choose.widths[index] ?? 0, heads: choose.heads[index] ?? 1, depths };
  });
}

function additionOf(reader: ConfigReader): AdditionConfig | null {
  const type = reader.value('addition_embed_type') ?? null;
  if (type === null) return null;
  if (type !== 'text_time') reader.fail('addition_embed_type', `${JSON.stringify(type)} is not supported`);
  const timeEmbedDim = reader.positiveInt('addition_time_embed_dim');
  const textEmbedDim = reader.positiveInt('projection_class_embeddings_input_dim') - 6 * timeEmbedDim;
  if (textEmbedDim <= 0) reader.fail('projection_class_embeddings_input_dim', 'is less than six size embeddings');
  return { timeEmbedDim, textEmbedDim };
}

function midConfig(reader: ConfigReader, width: number, heads: number, deepest: unknown): UNetConfig['mid'] {
  const type = reader.value('mid_block_type') ?? 'UNetMidBlock2DCrossAttn';
  if (type === 'UNetMidBlock2D') return { width, heads, depth: 0 };
  if (type !== 'UNetMidBlock2DCrossAttn') reader.fail('mid_block_type', `${JSON.stringify(type)} is not supported`);
  return { width, heads, depth: reader.asPositiveInt('transformer_layers_per_block', deepest) };
}

function checkWidths(reader: ConfigReader, config: UNetConfig): void {
  for (const { width, heads, depths } of [...config.down, ...config.up]) {
    if (width % config.normGroups) {
      reader.fail('norm_num_groups', `${config.normGroups} groups do not divide a width of ${width}`);
    }
    if (depths.some((depth) => depth > 0) && width % heads) {
      reader.fail('attention_head_dim', `${heads} heads do not divide a width of ${width}`);
    }
  }
}

/** The family that a config describes: text_time means SDXL kin, and of these SSD-1B has no middle attention. */
export function familyOf(config: Pick<UNetConfig, 'addition' | 'mid'>): Family {
  if (!config.addition) return 'sd15';
  return config.mid.depth > 0 ? 'sdxl' : 'ssd1b';
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
  if (!isObject(value)) throw new SlothfulError('bad-checkpoint', place, 'is not a JSON object');
  const className = value._class_name;
  if (className !== undefined && className !== 'UNet2DConditionModel' && className !== 'ControlNetModel') {
    throw new SlothfulError(
      'unsupported',
      place,
      `describes a ${JSON.stringify(className)}, not a UNet2DConditionModel`,
    );
  }
  const reader = new ConfigReader(value, place);
  reader.checkFixed();
  const widths = reader.list('block_out_channels').map((width) => reader.asPositiveInt('block_out_channels', width));
  const blocks = widths.length;
  const downTypes = reader.perBlock('down_block_types', reader.list('down_block_types'), blocks);
  const upTypes =
    value.up_block_types === undefined
      ? null
      : reader.perBlock('up_block_types', reader.list('up_block_types'), blocks);
  const heads = reader
    .perBlock('attention_head_dim', value.num_attention_heads ?? value.attention_head_dim ?? 8, blocks)
    .map((count) => reader.asPositiveInt('attention_head_dim', count));
  const depths = reader.perBlock('transformer_layers_per_block', value.transformer_layers_per_block ?? 1, blocks);
  const reversed = value.reverse_transformer_layers_per_block ?? null;
  const upDepths =
    reversed === null ? depths.toReversed() : reader.perBlock('reverse_transformer_layers_per_block', reversed, blocks);
  const layers = reader.positiveInt('layers_per_block', 2);
  const lastWidth = widths.at(-1) ?? 0;
  const addition = additionOf(reader);
  const mid = midConfig(reader, lastWidth, heads.at(-1) ?? 1, depths.at(-1));
  const config: UNetConfig = {
    family: familyOf({ addition, mid }),
    inChannels: reader.positiveInt('in_channels', 4),
    outChannels: reader.positiveInt('out_channels', 4),
    sampleSize: typeof value.sample_size === 'number' ? reader.positiveInt('sample_size') : 64,
    normGroups: reader.positiveInt('norm_num_groups', 32),
    normEps: typeof value.norm_eps === 'number' && value.norm_eps > 0 ? value.norm_eps : 1e-5,
    contextDim: reader.positiveInt('cross_attention_dim'),
    linearProjection: value.use_linear_projection === true,
    down: blockConfigs(
      reader,
      downTypes,
      { plain: 'DownBlock2D', attention: 'CrossAttnDownBlock2D' },
      { widths, heads, depths, layers },
    ),
    mid,
    up: upTypes
      ? blockConfigs(
          reader,
          upTypes,
          { plain: 'UpBlock2D', attention: 'CrossAttnUpBlock2D' },
          { widths: widths.toReversed(), heads: heads.toReversed(), depths: upDepths, layers: layers + 1 },
        )
      : [],
    addition,
  };
  checkWidths(reader, config);
  return config;
}
