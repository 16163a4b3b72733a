import { type Family, TRAINING } from './family.ts';

/** SDXL's base model: pooled text and sizes are added, and its middle block attends. */
export const sdxl = {
  name: 'sdxl',
  title: 'SDXL',
  generation: 'SDXL',
  describes: ({ addition, mid }) => addition !== null && mid.depth > 0,
  selfAttentions: { input: 24, middle: 10, output: 36 },
  contextDim: 2048,
  linearProjection: true,
  addition: { timeEmbedDim: 256, textEmbedDim: 1280 },
  heads: { width: 64 },
  sampleSize: 128,
  scheduler: { _class_name: 'EulerDiscreteScheduler', ...TRAINING, timestep_spacing: 'leading' },
  guidanceScale: 5,
  scalingFactor: 0.13025,
  forceZerosForEmptyPrompt: true,
  /** Fitted by Timothy Alexis Vass for SDXL, as the documentation of diffusers has it (pipeline callbacks). */
  latentColours: {
    factors: [
      [60, -60, 25, -70],
      [60, -5, 15, -50],
      [60, 10, -5, -35],
    ],
    biases: [150, 140, 130],
  },
} as const satisfies Family;
