import { SlothfulError } from '../errors.ts';
import type { ModelStore } from './model-store.ts';
import type { PipelineManifest, PipelinePart } from './pipeline-manifest.ts';

/** Where a whole pipeline lies: a folder with `slothful.json`, and in it a folder for each part. */
export interface PipelineStore {
  /** Path or URL of the folder, for messages. */
  readonly place: string;
  /** The folder on this machine; undefined where it is behind a URL. */
  readonly folder: string | undefined;
  readonly manifest: PipelineManifest;
  /** The model of a part; undefined where the pipeline does not have it. */
  part(name: PipelinePart): ModelStore | undefined;
  /** The text of a file that belongs to a part; undefined where it is not there. @throws SlothfulError `io` */
  text(name: PipelinePart, file: string): Promise<string | undefined>;
}

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
