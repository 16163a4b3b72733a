import type { Endpoint } from '../../src/graph/index.ts';
import {
  concat,
  conv,
  GraphBuilder,
  groupNorm,
  type PlannedGraph,
  signatureTensor,
  silu,
  upsample,
} from '../nn/index.ts';
import type { UNetConfig } from './config.ts';
import { downPath, firstConv, layer, middleBlock, type Skip } from './down-path.ts';
import { type ImageAdapter, imageContext, imageSignature } from './image-tokens.ts';
import { buildContexts, type Contexts, signatureInputs } from './inputs.ts';

/** What can be built into a UNet beside itself. */
export interface UNetExtras {
  ipAdapter?: ImageAdapter | undefined;
}

/**
 * Builds the TF.js graph of a UNet2DConditionModel from stock ops, NHWC, for any batch and size.
 *
 * Inputs: `sample` [B, H, W, in], `timestep` [1] or [B], `encoder_hidden_states` [B, T, contextDim]; SDXL kin also
 * `text_embeds` [B, textEmbedDim] and `time_ids` [B, 6]; with an IP-Adapter also `image_embeds`, and `ip_adapter_scale`
 * [] that is 1 where it is not fed; with `guidanceDim` also `timestep_cond` [B, guidanceDim], 0 where it is not fed. Output: `out_sample` [B, H, W, out].
 * Source: diffusers, `UNet2DConditionModel.forward`.
 */
export function buildUNet(config: UNetConfig, convertedBy: string, { ipAdapter }: UNetExtras = {}): PlannedGraph {
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
  let channels = config.down.at(-1)?.width ?? 0;
  config.up.forEach((block, level) => {
    const module = `up_blocks.${level}`;
    block.depths.forEach((_, index) => {
      const skip = skips.pop();
      if (!skip) return;
      const joined = concat(builder, `up_blocks/${level}/skips/${index}`, [map, skip.map], 3);
      map = layer(builder, module, index, joined, { inputs: channels + skip.channels, block }, contexts);
      channels = block.width;
    });
    const next = skips.at(-1);
    if (next) map = upsample(builder, `${module}.upsamplers.0`, map, channels, next.map);
  });
  return map;
}
