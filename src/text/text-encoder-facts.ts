import { type DocumentOf, foreignObject, integer, nullable, readDocument } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import type { ClipTokenizer } from './tokenizer.ts';

/** What the conversion of a text encoder records of it. */
const TEXT_ENCODER = foreignObject({
  text_encoder: foreignObject({
    width: integer({ minimum: 1 }),
    layers: integer({ minimum: 1 }),
    vocabulary: integer({ minimum: 1 }),
    projection: nullable(integer({ minimum: 1 })),
  }),
});

/** The sizes of a text encoder. */
export type TextEncoderFacts = DocumentOf<typeof TEXT_ENCODER>['text_encoder'];

/**
 * The sizes that a text encoder's metadata tell.
 *
 * @param place its model.json
 * @throws SlothfulError `bad-model` where it is no converted text encoder
 */
export function textEncoderFacts(metadata: unknown, place: string): TextEncoderFacts {
  const cure = 'convert the pipeline again';
  return readDocument(TEXT_ENCODER, metadata, { place, code: 'bad-model', cure }).text_encoder;
}

/**
 * Refuses a tokenizer whose tokens the encoder does not have.
 *
 * @throws SlothfulError `bad-model`
 */
export function checkVocabulary({ vocabulary }: TextEncoderFacts, tokenizer: ClipTokenizer, place: string): void {
  if (tokenizer.idCount <= vocabulary) return;
  const problem = `knows ${vocabulary} tokens, and ${tokenizer.place} has ${tokenizer.idCount}`;
  throw new SlothfulError('bad-model', place, problem, 'give the tokenizer that belongs to this text encoder');
}
