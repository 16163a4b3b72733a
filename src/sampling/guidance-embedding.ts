import type { Values } from './values.ts';

const f32 = Math.fround;

/**
 * What a model that was distilled with guidance is told of its scale, in the place of being guided: sines, then cosines, of
 * (scale - 1) 1000 at falling frequencies, rounded to float32 where PyTorch is.
 *
 * @param width of the embedding: `time_cond_proj_dim` of the model's config
 * @returns [1, width]
 * Source: diffusers, `LatentConsistencyModelPipeline.get_guidance_scale_embedding`.
 */
export function guidanceEmbedding(guidanceScale: number, width: number): Values {
  const half = Math.floor(width / 2);
  const fall = f32(f32(Math.log(10000)) / (half - 1));
  const weight = f32(f32(guidanceScale - 1) * 1000);
  const data = new Float32Array(width);
  for (let index = 0; index < half; index++) {
    const phase = f32(weight * f32(Math.exp(f32(-index * fall))));
    data[index] = Math.sin(phase);
    data[half + index] = Math.cos(phase);
  }
  return { shape: [1, width], data };
}
