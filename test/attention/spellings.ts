import type { Spelling } from './spelling.ts';
import { FUSED_SPELLINGS } from './spellings/fused.ts';
import { kerasAttention, kerasCv, kerasDense } from './spellings/keras.ts';
import {
  channelsFirst,
  crossAttention,
  einsumHeads,
  fusedBias,
  gridConvolutions,
  ourConverter,
  swappedSum,
} from './spellings/others.ts';
import { foldedHeads, headsFirst, scaledBoth, transposedWeights } from './spellings/pytorch.ts';

export type { Spelling } from './spelling.ts';

/** Every way of writing an attention that the locator must read, each with its near miss. */
export const SPELLINGS: readonly Spelling[] = [
  ourConverter,
  kerasDense,
  kerasCv,
  kerasAttention,
  foldedHeads,
  headsFirst,
  scaledBoth,
  transposedWeights,
  fusedBias,
  gridConvolutions,
  einsumHeads,
  swappedSum,
  channelsFirst,
  crossAttention,
  ...FUSED_SPELLINGS,
];
