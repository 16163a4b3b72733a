import type { Endpoint } from '../../src/graph/index.ts';
import type { GraphBuilder } from '../nn/graph-builder.ts';
import { groupNorm } from '../nn/group-norm.ts';
import { conv, linear, scopeOf, silu } from '../nn/layers.ts';

/** What all resnets of a UNet share. */
export interface ResnetContext {
  /** The time embedding after its SiLU. */
  timeEmbedding: Endpoint;
  timeEmbedDim: number;
  groups: number;
  eps: number;
}

/** [B, H, W, inputs] -> [B, H, W, outputs]. Source: diffusers, `ResnetBlock2D`. */
export function resnet(
  builder: GraphBuilder,
  module: string,
  x: Endpoint,
  size: { inputs: number; outputs: number },
  context: ResnetContext,
): Endpoint {
  const { inputs, outputs } = size;
  const scope = scopeOf(module);
  const { groups, eps } = context;
  const normal = groupNorm(builder, `${module}.norm1`, x, { channels: inputs, groups, eps });
  const hidden = conv(builder, `${module}.conv1`, silu(builder, `${scope}/norm1`, normal), size);
  const time = linear(builder, `${module}.time_emb_proj`, context.timeEmbedding, {
    inputs: context.timeEmbedDim,
    outputs,
  });
  const pixel = builder.op(`${scope}/time_emb_proj/pixel`, 'Reshape', [time, builder.ints([-1, 1, 1, outputs])]);
  const timed = builder.op(`${scope}/timed`, 'AddV2', [hidden, pixel]);
  const again = groupNorm(builder, `${module}.norm2`, timed, { channels: outputs, groups, eps });
  const second = conv(builder, `${module}.conv2`, silu(builder, `${scope}/norm2`, again), { inputs: outputs, outputs });
  const skip = inputs === outputs ? x : conv(builder, `${module}.conv_shortcut`, x, { ...size, kernel: 1 });
  return builder.op(`${scope}/out`, 'AddV2', [skip, second]);
}
