import { SlothfulError } from '../errors.ts';
import type { ModelStore, PipelineStore } from './model-store.ts';

/**
 * The model that a pipeline is taken for: its UNet.
 *
 * @throws SlothfulError `bad-input` where the pipeline was converted without
 */
export function unetOf(pipeline: PipelineStore): ModelStore {
  const unet = pipeline.part('unet');
  if (unet) return unet;
  const cure = 'convert the pipeline without --only, or give the folder of one of its parts';
  throw new SlothfulError('bad-input', pipeline.place, 'is a pipeline without a UNet', cure);
}
