import { join } from 'node:path';
import type { TextEncoderName } from '../../converters/index.ts';
import { changeTensors, type PipelineName, pipelineFolder } from '../support/pipeline-goldens.ts';

/** A pipeline folder with a text encoder as transformers 5.6 and later save it. */
export function bareFolder(name: PipelineName, which: TextEncoderName): string {
  const folder = pipelineFolder(name);
  changeTensors(join(folder, which, 'model.safetensors'), (tensors) => {
    for (const [key, tensor] of [...tensors]) {
      tensors.delete(key);
      tensors.set(key.replace(/^text_model\./, ''), tensor);
    }
  });
  return folder;
}
