import { attr, type Endpoint } from '../../src/graph/index.ts';
import type { GraphBuilder } from '../nn/graph-builder.ts';
import { conv } from '../nn/layers.ts';
import type { BlockConfig, UNetConfig } from './config.ts';
import { timeEmbedding } from './embedding.ts';
import type { ImageContext } from './image-tokens.ts';
import { type ResnetContext, resnet } from './resnet.ts';
import { type TransformerContext, transformer } from './transformer.ts';

/** What all blocks of a UNet share. */
export interface Contexts {
  resnet: ResnetContext;
  transformer: TransformerContext;
}

/** A feature map and its channels, as it waits for the up path. */
export interface Skip {
  map: Endpoint;
  channels: number;
}

/**
 * Adds the inputs beside the sample, and what all blocks make of them.
 *
 * @param image adds the image tokens of an IP-Adapter
 */
export function buildContexts(
  builder: GraphBuilder,
  config: UNetConfig,
  sample: Endpoint,
  image?: (builder: GraphBuilder) => ImageContext,
): Contexts {
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
      ...(image ? { image: image(builder) } : {}),
    },
  };
}

function batchSize(builder: GraphBuilder, sample: Endpoint): Endpoint {
  const shape = builder.op('shapes/sample', 'Shape', [sample], { out_type: attr.type('int32') });
  return slice(builder, 'shapes/batch', shape, 0, 1);
}

/** Elements `from` to `to` of an int32 vector. */
export function slice(builder: GraphBuilder, name: string, vector: Endpoint, from: number, to: number): Endpoint {
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

/** The convolution that every UNet starts with. */
export function firstConv(builder: GraphBuilder, config: UNetConfig, sample: Endpoint): Endpoint {
  return conv(builder, 'conv_in', sample, { inputs: config.inChannels, outputs: config.down[0]?.width ?? 0 });
}

/** From the first feature map to the deepest, which both are skips too. Source: diffusers, the down blocks. */
export function downPath(
  builder: GraphBuilder,
  config: UNetConfig,
  first: Endpoint,
  contexts: Contexts,
): { skips: Skip[]; bottom: Endpoint } {
  let channels = config.down[0]?.width ?? 0;
  let map = first;
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
export function layer(
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

/** Resnet, transformer, resnet; one resnet where there is no attention. */
export function middleBlock(builder: GraphBuilder, config: UNetConfig, x: Endpoint, contexts: Contexts): Endpoint {
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
