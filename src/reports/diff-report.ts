import type { SlothfulParameters } from '../passes/slothful/index.ts';
import type { ReportSite, ReportSize } from './inspect-report.ts';

/** Version of the diff report; a change that breaks readers counts it up. */
export const DIFF_SCHEMA = 'slothful-diff/1';

/** One of the two models. */
export interface DiffSide {
  readonly model: string;
  readonly family: string | null;
  readonly nodes: number;
  readonly parameters: number;
  /** Of the weights that its nodes use. */
  readonly storedBytes: number;
  readonly loadedBytes: number;
  readonly flops: number;
  /** Null where it is not patched. */
  readonly slothful: SlothfulParameters | null;
}

export type SiteChange = 'same' | 'patched' | 'unpatched' | 'changed' | 'added' | 'removed';

/** One attention in both models, or in one. */
export interface DiffSite {
  readonly id: string;
  readonly kind: 'self' | 'cross';
  readonly exporterName: string;
  readonly change: SiteChange;
  /** What is not the same, in words: `heads 8 -> 10`. */
  readonly details: readonly string[];
  readonly a: ReportSite | null;
  readonly b: ReportSite | null;
}

/** How the bytes of weights of the same name, shape and type compare. */
export interface WeightComparison {
  readonly equal: readonly string[];
  readonly different: readonly string[];
  /** Of the equal ones, how many lie in the same file on disk. */
  readonly shared: number;
}

/** What two models have in common and what not. */
export interface DiffReport {
  readonly schema: typeof DIFF_SCHEMA;
  readonly a: DiffSide;
  readonly b: DiffSide;
  /** The size that tokens and FLOPs are counted at. */
  readonly size: ReportSize;
  readonly sites: readonly DiffSite[];
  readonly nodes: {
    readonly same: number;
    readonly added: readonly string[];
    readonly removed: readonly string[];
    /** Other op, inputs or attributes under the same name. */
    readonly changed: readonly string[];
  };
  /** Ops whose number of nodes is not the same. */
  readonly ops: readonly { readonly op: string; readonly a: number; readonly b: number }[];
  readonly inputs: { readonly added: readonly string[]; readonly removed: readonly string[] };
  readonly outputs: { readonly added: readonly string[]; readonly removed: readonly string[] };
  /** Parameters of Slothful Attention that are not the same; null where a model has none. */
  readonly parameters: readonly { readonly name: string; readonly a: string | null; readonly b: string | null }[];
  readonly weights: {
    /** By bytes, or where the files were not read by shape and type only. */
    readonly comparedBy: 'bytes' | 'shapes';
    readonly equal: number;
    readonly equalParameters: number;
    readonly shared: number | null;
    readonly different: readonly string[];
    /** Same name, another shape or stored as another type. */
    readonly reshaped: readonly string[];
    readonly added: readonly string[];
    readonly removed: readonly string[];
  };
  readonly notes: readonly string[];
}
