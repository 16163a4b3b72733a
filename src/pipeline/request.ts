import type { PredictionType, SamplerName, SigmaSchedule, TimestepSpacing } from '../sampling/index.ts';

/** What a user asks of a run; what is left open is the model's own. */
export interface RunRequest {
  readonly steps?: number | undefined;
  readonly sampler?: SamplerName | undefined;
  readonly sigmas?: SigmaSchedule | undefined;
  readonly spacing?: TimestepSpacing | undefined;
  readonly prediction_type?: PredictionType | undefined;
  /** Classifier-free guidance; 1: none. */
  readonly guidance_scale?: number | undefined;
  readonly seed?: number | undefined;
}
