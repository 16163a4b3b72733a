import { attr, type Endpoint, type Graph } from '../../src/graph/index.ts';
import type { BlockConfig, UNetConfig } from './config.ts';
import { timeEmbedding } from './embedding.ts';
import { GraphBuilder, type PlannedWeight } from './graph-builder.ts';
import { groupNorm } from './group-norm.ts';
import { conv, silu } from './layers.ts';
import { type ResnetContext, resnet } from './resnet.ts';
import { type TransformerContext, transformer } from './transformer.ts';

/** A graph whose weights are still to be written, and what to write. */
export interface UNetGraph {
  graph: Graph;
  weights: readonly PlannedWeight[];
}

interface Contexts {
  resnet: ResnetContext;
  transformer: TransformerContext;
}

/** A feature map and its channels, as it waits for the up path. */
interface Skip {
  map: Endpoint;
  channels: number;
}

/**
 * Builds the TF.js graph of a UNet2DConditionModel from stock ops, NHWC, for any batch and size.
 *
 * Inputs: `sample` [B, H, W, in], `timestep` [1] or [B], `encoder_hidden_states` [B, T, contextDim]; SDXL kin also
 * `text_embeds` [B, textEmbedDim] and `time_ids` [B, 6]. Output: `out_sample` [B, H, W, out].
 * Source: diffusers, `UNet2DConditionModel.forward`.
 */
export function buildUNet(config: UNetConfig, convertedBy: string): UNetGraph {
  const builder = new GraphBuilder(convertedBy);
  const sample = builder.placeholder('sample', [-1, -1, -1, config.inChannels]);
  const contexts = buildContexts(builder, config, sample);
  const { skips, bottom } = downPath(builder, config, sample, contexts);
  const middle = middleBlock(builder, config, bottom, contexts);
  const top = upPath(builder, config, middle, skips, contexts);
  const channels = config.down[0]?.width ?? 0;
  const normal = groupNorm(builder, 'conv_norm_out', top, { channels, groups: config.normGroups, eps: config.normEps });
  const out = conv(builder, 'conv_out', silu(builder, 'conv_norm_out', normal), {
    inputs: channels,
    outputs: config.outChannels,
  });
  builder.op('out_sample', 'Identity', [out]);
  builder.graph.setSignature(signatureOf(config));
  return { graph: builder.graph, weights: builder.weights };
}

function buildContexts(builder: GraphBuilder, config: UNetConfig, sample: Endpoint): Contexts {
  const timestep = builder.placeholder('timestep', [-1]);
  const states = builder.placeholder('encoder_hidden_states', [-1, -1, config.contextDim]);
  const added = config.addition
    ? {
        textEmbeds: builder.placeholder('text_embeds', [-1, config.addition.textEmbedDim]),
        timeIds: builder.placeholder('time_ids', [-1, 6]),
      }
    : {};
  const context = builder.op('encoder_hidden_states/flat', 'Reshape', [states, builder.ints([-1, config.contextDim])]);
  return {
    resnet: {
      timeEmbedding: timeEmbedding(builder, config, { timestep, ...added }),
      timeEmbedDim: 4 * (config.down[0]?.width ?? 0),
      groups: config.normGroups,
      eps: config.normEps,
    },
    transformer: {
      context,
      contextDim: config.contextDim,
      batch: batchSize(builder, sample),
      groups: config.normGroups,
      linearProjection: config.linearProjection,
    },
  };
}

function batchSize(builder: GraphBuilder, sample: Endpoint): Endpoint {
  const shape = builder.op('shapes/sample', 'Shape', [sample], { out_type: attr.type('int32') });
  return slice(builder, 'shapes/batch', shape, 0, 1);
}

/** Elements `from` to `to` of an int32 vector. */
function slice(builder: GraphBuilder, name: string, vector: Endpoint, from: number, to: number): Endpoint {
  return builder.op(name, 'StridedSlice', [vector, builder.ints([from]), builder.ints([to]), builder.ints([1])], {
    T: attr.type('int32'),
    Index: attr.type('int32'),
    begin_mask: attr.int(0),
    end_mask: attr.int(0),
    ellipsis_mask: attr.int(0),
    new_axis_mask: attr.int(0),
    shrink_axis_mask: attr.int(0),
  });
}

function downPath(
  builder: GraphBuilder,
  config: UNetConfig,
  sample: Endpoint,
  contexts: Contexts,
): { skips: Skip[]; bottom: Endpoint } {
  let channels = config.down[0]?.width ?? 0;
  let map = conv(builder, 'conv_in', sample, { inputs: config.inChannels, outputs: channels });
  const skips: Skip[] = [{ map, channels }];
  config.down.forEach((block, level) => {
    const module = `down_blocks.${level}`;
    block.depths.forEach((_, index) => {
      map = layer(builder, module, index, map, { inputs: channels, block }, contexts);
      channels = block.width;
      skips.push({ map, channels });
    });
    if (level === config.down.length - 1) return;
    map = conv(builder, `${module}.downsamplers.0.conv`, map, { inputs: channels, outputs: channels, stride: 2 });
    skips.push({ map, channels });
  });
  return { skips, bottom: map };
}

/** One resnet of a block and, where its depth says so, the transformer after it. */
function layer(
  builder: GraphBuilder,
  module: string,
  index: number,
  x: Endpoint,
  size: { inputs: number; block: BlockConfig },
  contexts: Contexts,
): Endpoint {
  const { width, heads, depths } = size.block;
  const map = resnet(
    builder,
    `${module}.resnets.${index}`,
    x,
    { inputs: size.inputs, outputs: width },
    contexts.resnet,
  );
  const depth = depths[index] ?? 0;
  if (depth === 0) return map;
  return transformer(
    builder,
    `${module}.attentions.${index}`,
    map,
    { channels: width, heads, depth },
    contexts.transformer,
  );
}

function middleBlock(builder: GraphBuilder, config: UNetConfig, x: Endpoint, contexts: Contexts): Endpoint {
  const { width, heads, depth } = config.mid;
  const size = { inputs: width, outputs: width };
  const first = resnet(builder, 'mid_block.resnets.0', x, size, contexts.resnet);
  if (depth === 0) return first;
  const attended = transformer(
    builder,
    'mid_block.attentions.0',
    first,
    { channels: width, heads, depth },
    contexts.transformer,
  );
  return resnet(builder, 'mid_block.resnets.1', attended, size, contexts.resnet);
}

function upPath(builder: GraphBuilder, config: UNetConfig, x: Endpoint, skips: Skip[], contexts: Contexts): Endpoint {
  let map = x;
  let channels = config.mid.width;
  config.up.forEach((block, level) => {
    const module = `up_blocks.${level}`;
    block.depths.forEach((_, index) => {
      const skip = skips.pop();
      if (!skip) return;
      const joined = builder.op(
        `up_blocks/${level}/skips/${index}`,
        'ConcatV2',
        [map, skip.map, builder.ints([3], [])],
        {
          N: attr.int(2),
        },
      );
      map = layer(builder, module, index, joined, { inputs: channels + skip.channels, block }, contexts);
      channels = block.width;
    });
    const next = skips.at(-1);
    if (next) map = upsample(builder, `${module}.upsamplers.0`, map, channels, next.map);
  });
  return map;
}

/** Nearest-neighbour to the size of the skip that follows, which is right for odd sizes too, then a convolution. */
function upsample(builder: GraphBuilder, module: string, x: Endpoint, channels: number, skip: Endpoint): Endpoint {
  const scope = module.replaceAll('.', '/');
  const shape = builder.op(`${scope}/shape`, 'Shape', [skip], { out_type: attr.type('int32') });
  const size = slice(builder, `${scope}/size`, shape, 1, 3);
  const larger = builder.op(`${scope}/nearest`, 'ResizeNearestNeighbor', [x, size], {
    align_corners: attr.bool(false),
    half_pixel_centers: attr.bool(false),
  });
  return conv(builder, `${module}.conv`, larger, { inputs: channels, outputs: channels });
}

function signatureOf(config: UNetConfig): Record<string, unknown> {
  const tensor = (name: string, shape: readonly number[]) => ({
    name: `${name}:0`,
    dtype: 'DT_FLOAT',
    tensorShape: { dim: shape.map((size) => ({ size: String(size) })) },
  });
  const inputs: Record<string, unknown> = {
    sample: tensor('sample', [-1, -1, -1, config.inChannels]),
    timestep: tensor('timestep', [-1]),
    encoder_hidden_states: tensor('encoder_hidden_states', [-1, -1, config.contextDim]),
  };
  if (config.addition) {
    inputs.text_embeds = tensor('text_embeds', [-1, config.addition.textEmbedDim]);
    inputs.time_ids = tensor('time_ids', [-1, 6]);
  }
  return { inputs, outputs: { out_sample: tensor('out_sample', [-1, -1, -1, config.outChannels]) } };
}
