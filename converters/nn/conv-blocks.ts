import { attr, type Endpoint } from '../../src/graph/index.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { conv, linear, scopeOf, silu } from './layers.ts';
import { groupNorm } from './norms.ts';
import { shapeOf, slice } from './shape-ops.ts';

/** What all resnets of a model share. */
export interface ResnetContext {
  /** The time embedding after its SiLU, and its width; absent in networks that know no time. */
  time?: { embedding: Endpoint; width: number };
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
  const timed = context.time ? withTime(builder, module, hidden, outputs, context.time) : hidden;
  const again = groupNorm(builder, `${module}.norm2`, timed, { channels: outputs, groups, eps });
  const second = conv(builder, `${module}.conv2`, silu(builder, `${scope}/norm2`, again), { inputs: outputs, outputs });
  const skip = inputs === outputs ? x : conv(builder, `${module}.conv_shortcut`, x, { ...size, kernel: 1 });
  return builder.op(`${scope}/out`, 'AddV2', [skip, second]);
}

function withTime(
  builder: GraphBuilder,
  module: string,
  x: Endpoint,
  channels: number,
  { embedding, width }: NonNullable<ResnetContext['time']>,
): Endpoint {
  const scope = scopeOf(module);
  const time = linear(builder, `${module}.time_emb_proj`, embedding, { inputs: width, outputs: channels });
  const pixel = builder.op(`${scope}/time_emb_proj/pixel`, 'Reshape', [time, builder.ints([-1, 1, 1, channels])]);
  return builder.op(`${scope}/timed`, 'AddV2', [x, pixel]);
}

/** [B, H, W, C] -> [B, H / 2, W / 2, C], odd sizes rounded up. Source: diffusers, `Downsample2D`. */
export function downsample(builder: GraphBuilder, module: string, x: Endpoint, channels: number): Endpoint {
  return conv(builder, `${module}.conv`, x, { inputs: channels, outputs: channels, stride: 2 });
}

/**
 * Nearest-neighbour to the height and width of another map, which is right for odd sizes too, then a convolution.
 *
 * Source: diffusers, `Upsample2D`.
 */
export function upsample(
  builder: GraphBuilder,
  module: string,
  x: Endpoint,
  channels: number,
  sizeOf: Endpoint,
): Endpoint {
  const larger = nearest(builder, scopeOf(module), x, sizeOfMap(builder, scopeOf(module), sizeOf));
  return conv(builder, `${module}.conv`, larger, { inputs: channels, outputs: channels });
}

/** [B, H, W, C] -> [B, 2H, 2W, C], every pixel four times. */
export function doubled(builder: GraphBuilder, scope: string, x: Endpoint): Endpoint {
  const size = sizeOfMap(builder, scope, x);
  const twice = builder.op(`${scope}/twice`, 'Mul', [size, builder.ints([2, 2])], { T: attr.type('int32') });
  return nearest(builder, scope, x, twice);
}

/** Height and width of a map, int32 [2]. */
function sizeOfMap(builder: GraphBuilder, scope: string, map: Endpoint): Endpoint {
  return slice(builder, `${scope}/size`, shapeOf(builder, `${scope}/shape`, map), 1, 3);
}

function nearest(builder: GraphBuilder, scope: string, x: Endpoint, size: Endpoint): Endpoint {
  return builder.op(`${scope}/nearest`, 'ResizeNearestNeighbor', [x, size], {
    align_corners: attr.bool(false),
    half_pixel_centers: attr.bool(false),
  });
}
