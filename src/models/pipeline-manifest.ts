import {
  choice,
  type DocumentOf,
  flag,
  object,
  optional,
  ownDocument,
  parseJson,
  readDocument,
  text,
} from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { FAMILY_NAMES } from '../families/index.ts';

/** The file that tells a folder of a whole pipeline from that of one model. */
export const PIPELINE_FILE = 'slothful.json';

const folder = (description: string) => optional(text({ minLength: 1, description }));

/** A tokenizer's files, as transformers saves them. */
export const TOKENIZER_FILES = [
  'vocab.json',
  'merges.txt',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'tokenizer.json',
] as const;

/** What a folder of a whole pipeline says of itself: which models are in it, each in a folder of its own. */
export const PIPELINE_DOCUMENT = ownDocument('pipeline', 1, {
  family: optional(choice([...FAMILY_NAMES], { description: 'of the UNet' })),
  parts: object(
    {
      unet: folder('predicts noise'),
      text_encoder: folder('CLIP-L'),
      text_encoder_2: folder('OpenCLIP bigG, of SDXL kin'),
      vae_decoder: folder('latents to pictures'),
      vae_encoder: folder('pictures to latents'),
      taesd_decoder: folder('small and approximate'),
      taesd_encoder: folder('small and approximate'),
      tokenizer: folder("vocab.json and merges.txt of the first text encoder; absent: CLIP's own"),
      tokenizer_2: folder("the same of the second text encoder; absent: CLIP's own, padded with 0"),
    },
    { description: "each part's folder, relative to this file" },
  ),
  force_zeros_for_empty_prompt: flag({ description: 'no negative prompt at all is conditioned on as zeros' }),
});

/** A pipeline's manifest, checked. */
export type PipelineManifest = DocumentOf<typeof PIPELINE_DOCUMENT>;

/** The parts that a pipeline may have. */
export type PipelinePart = keyof PipelineManifest['parts'];

/**
 * Checks the text of a `slothful.json`.
 *
 * @param place its path, for messages
 * @throws SlothfulError `bad-model` naming the field
 */
export function parsePipelineManifest(json: string, place: string): PipelineManifest {
  const cure = 'convert the pipeline again';
  const options = { place, code: 'bad-model', cure } as const;
  const manifest = readDocument(PIPELINE_DOCUMENT, parseJson(json, options), options);
  // A manifest is often somebody else's, so no part may lie outside.
  const outside = Object.entries(manifest.parts).find(([, path]) => !/^\w[\w.-]*$/.test(path ?? ''));
  if (!outside) return manifest;
  const problem = `parts.${outside[0]} must be a folder beside it, got ${JSON.stringify(outside[1])}`;
  throw new SlothfulError('bad-model', place, problem, cure);
}
