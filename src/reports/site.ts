import type { Block, Projection, TokenForm } from '../attention/index.ts';
import type { Endpoint } from '../graph/index.ts';

/** Where the rows and columns of a site's tokens are told: a tensor whose pixels they are, or a tensor that holds its shape. */
export interface GridSource {
  readonly from: 'tensor' | 'shape';
  readonly endpoint: Endpoint;
}

/** One attention of a graph as the reports see it, whether it is spelled in stock ops or patched to one node. */
export interface SurveyedSite {
  readonly kind: 'self' | 'cross';
  /** `input.1.0.0`: block, level, attention of that block and level, transformer block in it; `.cross` for a cross one. */
  readonly id: string;
  /** The exporter's name scope; for a patched cross-attention that of its weights. */
  readonly exporterName: string;
  /** The softmax, or the `SlothfulAttention` node. */
  readonly node: string;
  readonly block: Block;
  readonly level: number;
  readonly downscale: number;
  readonly heads: number | undefined;
  readonly headDim: number | undefined;
  /** Why heads or scale are not known, in words. */
  readonly unknown: string | undefined;
  readonly channels: number;
  readonly contextChannels: number;
  readonly hiddenStates: Endpoint;
  readonly hiddenForm: TokenForm;
  /** What keys and values are made of: the hidden states where it is a self-attention. */
  readonly context: Endpoint;
  readonly contextForm: TokenForm;
  readonly query: Projection;
  readonly key: Projection;
  readonly value: Projection;
  /** The projection that the merged heads go into; undefined where none was found. */
  readonly out: OutProjection | undefined;
  readonly output: Endpoint;
  readonly grid: GridSource | undefined;
  /** Row of the control table of a patched self-attention. */
  readonly row: number | undefined;
  readonly patched: boolean;
}

/** The projection after the merged heads, and the node that computes it. */
export interface OutProjection extends Projection {
  readonly node: string;
}
