import type { Endpoint } from '../../src/graph/index.ts';
import { conv, downsample, type GraphBuilder, resnet } from '../nn/index.ts';
import type { BlockConfig, UNetConfig } from './config.ts';
import type { Contexts } from './inputs.ts';
import { transformer } from './transformer.ts';

/** A feature map and its channels, as it waits for the up path. */
export interface Skip {
  map: Endpoint;
  channels: number;
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
    map = downsample(builder, `${module}.downsamplers.0`, map, channels);
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

/** Resnet, transformer, resnet; one resnet where there is no attention, and nothing where there is no middle block. */
export function middleBlock(builder: GraphBuilder, config: UNetConfig, x: Endpoint, contexts: Contexts): Endpoint {
  if (!config.mid) return x;
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
