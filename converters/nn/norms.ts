import { attr, type Endpoint } from '../../src/graph/index.ts';
import type { GraphBuilder } from './graph-builder.ts';
import { scopeOf } from './layers.ts';

/**
 * GroupNorm of [B, H, W, C].
 *
 * Only three nodes see all pixels twice (mean, squared difference and its mean) and two write the result; the groups
 * are formed of per-channel moments, which are small. A group's variance is the mean of its channels' variances plus
 * the variance of their means, which is exact and does not cancel as E[x^2] - E[x]^2 does.
 */
export function groupNorm(
  builder: GraphBuilder,
  module: string,
  x: Endpoint,
  size: { channels: number; groups: number; eps: number },
): Endpoint {
  const scope = scopeOf(module);
  const moments = channelMoments(builder, scope, x);
  const { scale, shift } = groupAffine(builder, module, moments, size);
  const scaled = builder.op(`${scope}/scaled`, 'Mul', [x, scale]);
  return builder.op(`${scope}/out`, 'AddV2', [scaled, shift]);
}

interface Moments {
  mean: Endpoint;
  variance: Endpoint;
}

const KEEP = { keep_dims: attr.bool(true) };

function channelMoments(builder: GraphBuilder, scope: string, x: Endpoint): Moments {
  const pixels = builder.ints([1, 2]);
  const mean = builder.op(`${scope}/mean`, 'Mean', [x, pixels], KEEP);
  const squares = builder.op(`${scope}/squares`, 'SquaredDifference', [x, mean]);
  return { mean, variance: builder.op(`${scope}/variance`, 'Mean', [squares, pixels], KEEP) };
}

function groupAffine(
  builder: GraphBuilder,
  module: string,
  moments: Moments,
  { channels, groups, eps }: { channels: number; groups: number; eps: number },
): { scale: Endpoint; shift: Endpoint } {
  const scope = `${scopeOf(module)}/groups`;
  const op = (name: string, kind: string, inputs: Endpoint[], attributes = {}) =>
    builder.op(`${scope}/${name}`, kind, inputs, attributes);
  const apart = builder.ints([-1, groups, channels / groups]);
  const together = builder.ints([-1, 1, 1, channels]);
  const axis = builder.ints([2]);
  const means = op('channel_means', 'Reshape', [moments.mean, apart]);
  const variances = op('channel_variances', 'Reshape', [moments.variance, apart]);
  const mean = op('mean', 'Mean', [means, axis], KEEP);
  const between = op('between', 'SquaredDifference', [means, mean]);
  const total = op('total', 'AddV2', [variances, between]);
  const variance = op('variance', 'Mean', [total, axis], KEEP);
  const inverse = op('rsqrt', 'Rsqrt', [op('variance_eps', 'AddV2', [variance, builder.float(eps)])]);
  const centre = op('channel_mean', 'Mul', [mean, inverse]);
  const gamma = op('gamma', 'Reshape', [builder.vector(`${module}.weight`, channels), apart]);
  const beta = op('beta', 'Reshape', [builder.vector(`${module}.bias`, channels), apart]);
  const scale = op('scale', 'Mul', [inverse, gamma]);
  const shift = op('shift', 'Sub', [beta, op('offset', 'Mul', [centre, gamma])]);
  return { scale: op('scale_out', 'Reshape', [scale, together]), shift: op('shift_out', 'Reshape', [shift, together]) };
}

/** What a norm scales and shifts by. */
export interface Affine {
  readonly gamma: Endpoint;
  readonly beta: Endpoint;
}

/** A norm's weights of the checkpoint, for norms that are used more than once. */
export function affineOf(builder: GraphBuilder, module: string, width: number): Affine {
  return { gamma: builder.vector(`${module}.weight`, width), beta: builder.vector(`${module}.bias`, width) };
}

/** Rows of a flat [M, C] normalised to mean 0 and variance 1, then scaled and shifted. */
export function layerNorm(builder: GraphBuilder, module: string, x: Endpoint, width: number, eps = 1e-5): Endpoint {
  return layerNormBy(builder, scopeOf(module), x, affineOf(builder, module, width), eps);
}

/** The same by weights that are there already. */
export function layerNormBy(
  builder: GraphBuilder,
  scope: string,
  x: Endpoint,
  { gamma, beta }: Affine,
  eps: number,
): Endpoint {
  const axis = builder.ints([1]);
  const mean = builder.op(`${scope}/mean`, 'Mean', [x, axis], { keep_dims: attr.bool(true) });
  const centred = builder.op(`${scope}/centred`, 'Sub', [x, mean]);
  const squares = builder.op(`${scope}/squares`, 'Square', [centred]);
  const variance = builder.op(`${scope}/variance`, 'Mean', [squares, axis], { keep_dims: attr.bool(true) });
  const shifted = builder.op(`${scope}/variance_eps`, 'AddV2', [variance, builder.float(eps)]);
  const inverse = builder.op(`${scope}/rsqrt`, 'Rsqrt', [shifted]);
  const normal = builder.op(`${scope}/normalised`, 'Mul', [centred, inverse]);
  const scaled = builder.op(`${scope}/scaled`, 'Mul', [normal, gamma]);
  return builder.op(`${scope}/out`, 'AddV2', [scaled, beta]);
}
