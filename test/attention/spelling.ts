import type { AttentionSite, Rejection, TokenForm } from '../../src/attention/index.ts';
import type { Built } from './spelling-builder.ts';

/** One way in which exporters write an attention, and a graph that looks like it and is not one. */
export interface Spelling {
  readonly name: string;
  /** Who writes it so. */
  readonly about: string;
  readonly kind: AttentionSite['kind'];
  readonly hiddenForm: TokenForm;
  readonly outputForm: TokenForm;
  /** Whether queries, keys and values have biases. */
  readonly bias?: boolean;
  /** Of the logits, where it is not dim ** -0.5: what the weights have in them already. */
  readonly scale?: number;
  /** Weights that it has, the output projection's among them. Default: four. */
  readonly weights?: number;
  /** Where the values of constants decide whether it is an attention: why it is rejected without them. */
  readonly needsValues?: RegExp;
  /** What is wrong with the near miss, how far it is followed, the reason that is given, and at which node. */
  readonly miss: {
    readonly about: string;
    readonly reached: Rejection['reached'];
    readonly reason: RegExp;
    readonly node: string;
  };
  build(variant?: Variant): Built;
}

export type Variant = 'spelling' | 'miss';
