import { type Family, TRAINING } from './family.ts';

/** Stable Diffusion 1.x: the only one without added conditioning. */
export const sd15 = {
  name: 'sd15',
  title: 'SD1.5',
  generation: 'SD1.x',
  describes: ({ addition }) => addition === null,
  selfAttentions: { input: 6, middle: 1, output: 9 },
  contextDim: 768,
  linearProjection: false,
  addition: null,
  heads: { count: 8 },
  sampleSize: 64,
  scheduler: {
    _class_name: 'DDIMScheduler',
    ...TRAINING,
    timestep_spacing: 'leading',
    set_alpha_to_one: false,
    clip_sample: false,
  },
  guidanceScale: 7.5,
  scalingFactor: 0.18215,
  forceZerosForEmptyPrompt: false,
  /** Fitted by keturn for Stable Diffusion 1.4 (discuss.huggingface.co, "Decoding latents to RGB without upscaling"). */
  latentColours: {
    factors: [
      [0.298, 0.187, -0.158, -0.184],
      [0.207, 0.286, 0.189, -0.271],
      [0.208, 0.173, 0.264, -0.473],
    ].map((row) => row.map((factor) => factor * 127.5)),
    biases: [127.5, 127.5, 127.5],
  },
} as const satisfies Family;
