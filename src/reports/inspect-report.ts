import type { Block, Rejection } from '../attention/index.ts';
import type { SlothfulParameters } from '../passes/slothful/index.ts';
import type { FamilyGuess } from './family.ts';
import type { RunSize } from './size.ts';
import type { WeightTotals } from './weights.ts';

/** Version of the inspect report; a change that breaks readers counts it up. */
export const INSPECT_SCHEMA = 'slothful-inspect/1';

/** The size a report is for. */
export interface ReportSize extends RunSize {
  /** Width and height of the picture in its pixels. */
  readonly pixels: { readonly width: number; readonly height: number };
}

/** One input or output of the model. */
export interface ReportEndpoint {
  readonly name: string;
  /** -1 where any size will do; null where the document does not tell. */
  readonly shape: readonly number[] | null;
  readonly dtype: string | null;
  /** It has a default. */
  readonly optional: boolean;
}

/** One attention. */
export interface ReportSite {
  readonly id: string;
  readonly kind: 'self' | 'cross';
  readonly exporterName: string;
  /** The softmax, or the node that it was patched to. */
  readonly node: string;
  readonly block: Block;
  readonly level: number;
  readonly downscale: number;
  readonly channels: number;
  /** Null where it needs constants that the document does not hold: see `unknown`. */
  readonly heads: number | null;
  readonly headDim: number | null;
  readonly contextChannels: number;
  readonly patched: boolean;
  /** Rows and columns of the tokens at the size. */
  readonly grid: readonly [number, number] | null;
  readonly tokens: number | null;
  /** Keys and values that attention has without any pooling. */
  readonly kvTokens: number | null;
  readonly parameters: number;
  /** With the projections; at the size, for the whole batch. */
  readonly flops: number | null;
  /** All logits of the attention, float32. */
  readonly logitsBytes: number | null;
  /** What could not be told, and why. */
  readonly unknown: string | null;
}

/** Parameters and FLOPs of one part of the model, and their share of all. */
export interface ReportShare {
  readonly parameters: number;
  readonly parameterShare: number;
  readonly flops: number;
  /** Null where the FLOPs of the whole are not known. */
  readonly flopShare: number | null;
}

/** What `inspect` finds. Counts are numbers, sizes bytes, FLOPs two for each multiply-add of a product. */
export interface InspectReport {
  readonly schema: typeof INSPECT_SCHEMA;
  readonly model: string;
  readonly family: FamilyGuess;
  readonly generatedBy: string | null;
  readonly convertedBy: string | null;
  readonly size: ReportSize;
  readonly inputs: readonly ReportEndpoint[];
  readonly outputs: readonly ReportEndpoint[];
  readonly nodes: number;
  /** How many nodes of each op, the commonest first. */
  readonly ops: Readonly<Record<string, number>>;
  readonly weights: WeightTotals;
  /** Null where the model is not patched. */
  readonly patch: {
    readonly control: string;
    readonly top: number;
    readonly deep: number;
    readonly parameters: SlothfulParameters;
  } | null;
  /** Downscale of the shallowest and deepest self-attention. */
  readonly top: number | null;
  readonly deep: number | null;
  readonly sites: readonly ReportSite[];
  readonly rejections: readonly Omit<Rejection, 'kind'>[];
  readonly totals: {
    readonly selfSites: number;
    readonly crossSites: number;
    readonly parameters: number;
    readonly flops: number;
    /** Nodes whose FLOPs are not known and not counted. */
    readonly unknownFlops: number;
    readonly self: ReportShare;
    readonly cross: ReportShare;
    /** Convolutions, all of them. */
    readonly convolutions: ReportShare;
  };
  /** What could not be told, in words. */
  readonly notes: readonly string[];
}
