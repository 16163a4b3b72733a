import { attr, type Endpoint, type Graph } from '../../src/graph/index.ts';
import { GraphBuilder, type PlannedWeight } from '../nn/graph-builder.ts';
import { groupNorm } from '../nn/group-norm.ts';
import { conv, silu } from '../nn/layers.ts';
import type { UNetConfig } from './config.ts';
import {
  buildContexts,
  type Contexts,
  downPath,
  firstConv,
  layer,
  middleBlock,
  type Skip,
  slice,
} from './down-path.ts';
import { type ImageAdapter, imageContext, imageSignature } from './image-tokens.ts';
import { signatureInputs, signatureTensor } from './signature.ts';

/** A graph whose weights are still to be written, and what to write. */
export interface UNetGraph {
  graph: Graph;
  weights: readonly PlannedWeight[];
}

/** What can be built into a UNet beside itself. */
export interface UNetExtras {
  ipAdapter?: ImageAdapter | undefined;
}

/**
 * Builds the TF.js graph of a UNet2DConditionModel from stock ops, NHWC, for any batch and size.
 *
 * Inputs: `sample` [B, H, W, in], `timestep` [1] or [B], `encoder_hidden_states` [B, T, contextDim]; SDXL kin also
 * `text_embeds` [B, textEmbedDim] and `time_ids` [B, 6]; with an IP-Adapter also `image_embeds`, and `ip_adapter_scale`
 * [] that is 1 where it is not fed. Output: `out_sample` [B, H, W, out].
 * Source: diffusers, `UNet2DConditionModel.forward`.
 */
export function buildUNet(config: UNetConfig, convertedBy: string, { ipAdapter }: UNetExtras = {}): UNetGraph {
  const builder = new GraphBuilder(convertedBy);
  const sample = builder.placeholder('sample', [-1, -1, -1, config.inChannels]);
  const image = ipAdapter && ((on: GraphBuilder) => imageContext(on, config, ipAdapter));
  const contexts = buildContexts(builder, config, sample, image);
  const { skips, bottom } = downPath(builder, config, firstConv(builder, config, sample), contexts);
  const middle = middleBlock(builder, config, bottom, contexts);
  const top = upPath(builder, config, middle, skips, contexts);
  const channels = config.down[0]?.width ?? 0;
  const normal = groupNorm(builder, 'conv_norm_out', top, { channels, groups: config.normGroups, eps: config.normEps });
  const out = conv(builder, 'conv_out', silu(builder, 'conv_norm_out', normal), {
    inputs: channels,
    outputs: config.outChannels,
  });
  builder.op('out_sample', 'Identity', [out]);
  builder.graph.setSignature({
    inputs: { ...signatureInputs(config), ...(ipAdapter ? imageSignature(ipAdapter) : {}) },
    outputs: { out_sample: signatureTensor('out_sample', [-1, -1, -1, config.outChannels]) },
  });
  return { graph: builder.graph, weights: builder.weights };
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
