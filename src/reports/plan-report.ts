import type { Block, Strategy } from '../attention/index.ts';
import type { SlothfulParameters, UntouchedReason } from '../passes/slothful/index.ts';
import type { FamilyGuess } from './family.ts';
import type { ReportSize } from './inspect-report.ts';

/** Version of the plan report; a change that breaks readers counts it up. */
export const PLAN_SCHEMA = 'slothful-plan/1';

/** The backend that a plan is for: it decides how much of the logits is there at once. */
export interface PlanBackend {
  readonly name: 'native' | 'wasm' | 'cpu';
  readonly strategy: Strategy;
  /** Most bytes of one logits tensor. */
  readonly logitsLimit: number;
}

/** One step of the run. */
export interface ScheduledStep {
  readonly timestep: number;
  readonly sigma: number;
}

/** The steps of a run, and what they are in words: sampler and spacing. */
export interface Schedule {
  readonly name: string;
  readonly steps: readonly ScheduledStep[];
  readonly notes: readonly string[];
}

/** Why a site is left as it is at a step. `grid`: it has one token, which nothing can reduce. */
export type PlanReason = UntouchedReason | 'grid';

/** What one self-attention does at one step. */
export interface PlanStep {
  /** The stride that the parameters ask for: a reduction of the number of keys. */
  readonly asked: number;
  /** The strides that realise it. */
  readonly strideRows: number;
  readonly strideColumns: number;
  /** Tokens by keys: the reduction that is really had. */
  readonly reduction: number;
  readonly kvTokens: number;
  readonly flops: number;
  /** All logits of the attention together. */
  readonly logitsBytes: number | null;
  /** The largest logits tensor that is there at once. */
  readonly peakLogitsBytes: number | null;
  /** Null where keys and values are sampled or pooled. */
  readonly reason: PlanReason | null;
  /** The window was larger than the grid. */
  readonly clipped: boolean;
}

/** One attention over the whole run. */
export interface PlanSite {
  readonly id: string;
  readonly kind: 'self' | 'cross';
  readonly exporterName: string;
  readonly block: Block;
  readonly level: number;
  readonly downscale: number;
  readonly channels: number;
  readonly heads: number | null;
  readonly headDim: number | null;
  readonly grid: readonly [number, number] | null;
  readonly tokens: number;
  /** Keys and values of the unpatched model. */
  readonly kvTokens: number;
  /** Of the unpatched model, a step: its logits are one tensor. */
  readonly plain: { readonly flops: number; readonly logitsBytes: number | null };
  /** Of the patched model; one entry a step, none for a cross-attention. */
  readonly steps: readonly PlanStep[];
  /** Of a patched cross-attention, or of the patched site at its costliest step. */
  readonly peakLogitsBytes: number | null;
  /** What happens to it over the run, in words. */
  readonly verdict: string;
}

/** Plain against patched. */
export interface PlanPair {
  readonly plain: number;
  readonly patched: number;
}

/** One step of the whole model. */
export interface PlanTotals extends ScheduledStep {
  /** How far denoising is from its end, 1 to 0: what `time_decay` is the exponent of. */
  readonly time: number;
  /** Keys of all self-attentions. */
  readonly kvTokens: PlanPair;
  /** FLOPs of the whole model. */
  readonly flops: PlanPair;
  /** FLOPs of its self-attentions, projections and all. */
  readonly selfFlops: PlanPair;
  /** The largest logits tensor of the step. */
  readonly peakLogitsBytes: PlanPair;
}

/** What `plan` foresees. FLOPs count two for each multiply-add of a product and are those of the whole batch. */
export interface PlanReport {
  readonly schema: typeof PLAN_SCHEMA;
  readonly model: string;
  readonly family: FamilyGuess;
  readonly size: ReportSize;
  readonly parameters: SlothfulParameters;
  readonly top: number;
  readonly deep: number;
  /** Sampler and spacing in words. */
  readonly schedule: string;
  readonly backend: PlanBackend;
  readonly sites: readonly PlanSite[];
  readonly steps: readonly PlanTotals[];
  readonly run: {
    readonly flops: PlanPair;
    readonly selfFlops: PlanPair;
    readonly peakLogitsBytes: PlanPair;
  };
  /** Settings that change nothing in this run, and why. */
  readonly idle: readonly { readonly setting: string; readonly reason: string }[];
  readonly notes: readonly string[];
}
