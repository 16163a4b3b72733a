import type { Endpoint } from '../graph/index.ts';

export type Block = 'input' | 'middle' | 'output';

/**
 * How the tokens of a tensor are laid out: [B, N, C], [B*N, C], [B, h, w, C], with heads apart [B, N, heads, dim] and
 * [B, h, w, heads, dim], or as a context alone may come [B, C, N].
 */
export type TokenForm = 'tokens' | 'flat' | 'grid' | 'heads' | 'grid-heads' | 'channels-first';

/**
 * Which of the channels that a weight makes a projection takes: of every `period` of them, `length` from `start` on. One period
 * where queries, keys and values lie one behind the other, one a head where each head has its own three.
 */
export interface ChannelPart {
  readonly start: number;
  readonly length: number;
  readonly period: number;
}

/** The projection from hidden states to queries, keys or values. */
export interface Projection {
  /** Weight as the graph holds it: [in, out], [out, in] where `transposed`, [1, 1, in, out], or [in, heads, dim]. */
  readonly weight: Endpoint;
  readonly bias: Endpoint | undefined;
  readonly transposed: boolean;
  /** The channels that it takes of a weight that several projections share; undefined: all. */
  readonly part: ChannelPart | undefined;
}

/**
 * One attention of a graph: from the hidden states that enter the q/k/v projections to the merged heads.
 *
 * A self-attention reads one tensor for q, k and v. A cross-attention reads `context` for k and v.
 */
export interface AttentionSite {
  readonly kind: 'self' | 'cross';
  /** Stable name: block, level, attention of that block and level, transformer block in it (`input.1.0.0`). */
  readonly id: string;
  /** The exporter's name for it: the longest name scope that the nodes of the attention share. */
  readonly scope: string;
  readonly softmax: string;
  readonly hiddenStates: Endpoint;
  readonly hiddenForm: TokenForm;
  /** What keys and values are made of: the hidden states where it is a self-attention. */
  readonly context: Endpoint;
  readonly contextForm: TokenForm;
  readonly query: Projection;
  readonly key: Projection;
  readonly value: Projection;
  /** Factor of the logits before the softmax; undefined where constants are needed that the document does not hold. */
  readonly scale: number | undefined;
  readonly heads: number | undefined;
  readonly headDim: number | undefined;
  /** Why heads or scale are not known, in words; undefined where they are. */
  readonly unknown: string | undefined;
  /** Channels that the queries have over all heads. */
  readonly channels: number;
  /** Width of the context that keys and values are made of. */
  readonly contextChannels: number;
  /** The merged heads, before the output projection: what a rewrite replaces. */
  readonly output: Endpoint;
  readonly outputForm: TokenForm;
  readonly block: Block;
  /** 0 at the resolution of the sample, 1 at half of it, ... */
  readonly level: number;
  /** 2 ** level: linear, against the sample. */
  readonly downscale: number;
  /** The rank-4 tensor whose pixels are the tokens; undefined where the graph has none. */
  readonly grid: Endpoint | undefined;
}

/** A softmax that is not an attention, or not one that can be used, with the reason. */
export interface Rejection {
  readonly kind: 'rejected';
  readonly softmax: string;
  /** Why, in words, for the person who asks "why did it not match?". */
  readonly reason: string;
  /** The node at which the match failed. */
  readonly node: string;
  /** How far it got. */
  readonly reached: 'softmax' | 'scores' | 'values' | 'projections' | 'merge' | 'grid';
}

/** Everything that `locate` found, sites in the order of execution. */
export interface Location {
  readonly sites: readonly AttentionSite[];
  readonly rejections: readonly Rejection[];
  /** Downscale of the shallowest and of the deepest self-attention level; undefined where there is none. */
  readonly top: number | undefined;
  readonly deep: number | undefined;
}
