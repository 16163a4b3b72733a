import type { Rule } from './abstract.ts';
import { CONVOLUTION } from './convolution.ts';
import { CREATION } from './creation.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { LAYOUT } from './layout.ts';
import { PRODUCTS } from './products.ts';
import { REDUCTIONS } from './reductions.ts';
import { SLICES } from './slices.ts';

/** A shape function an op. */
export const RULES: ReadonlyMap<string, Rule> = new Map(
  [CONVOLUTION, CREATION, ELEMENTWISE, LAYOUT, PRODUCTS, REDUCTIONS, SLICES].flatMap((rules) => Object.entries(rules)),
);
