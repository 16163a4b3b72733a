import type { Family } from './family.ts';
import { sdxl } from './sdxl.ts';

/** Segmind's SSD-1B: SDXL with fewer transformer blocks, and none in the middle. */
export const ssd1b = {
  ...sdxl,
  name: 'ssd1b',
  title: 'SSD-1B',
  describes: ({ addition, mid }) => addition !== null && mid.depth === 0,
  selfAttentions: { input: 12, middle: 0, output: 22 },
} as const satisfies Family;
