import * as tf from '@tensorflow/tfjs-core';
import { type DocumentOf, foreignObject, integer, nullable, readDocument } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import type { LoadedModel } from '../runtime/index.ts';
import type { Values } from '../sampling/index.ts';
import { CHUNK_LENGTH } from './chunk.ts';
import type { EncodedChunks, HiddenLayer, PromptEncoder } from './encode-prompts.ts';
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

/**
 * A converted CLIP text encoder with its tokenizer: what prompts are encoded by.
 *
 * @param model loaded; it stays the caller's
 * @throws SlothfulError `bad-model` where it is no text encoder, or the tokenizer another's
 */
export function clipTextEncoder(model: LoadedModel, tokenizer: ClipTokenizer): PromptEncoder {
  const facts = textEncoderFacts(model.metadata, model.place);
  checkVocabulary(facts, tokenizer, model.place);
  return { tokenizer, encode: (ids, layer) => encode(model, facts, tokenizer, ids, layer) };
}

async function encode(
  model: LoadedModel,
  { layers, projection }: TextEncoderFacts,
  tokenizer: ClipTokenizer,
  ids: readonly (readonly number[])[],
  { skip, norm }: HiddenLayer,
): Promise<EncodedChunks> {
  if (skip >= layers) {
    const problem = `leaves out ${skip} layers, and ${model.place} has ${layers}`;
    throw new SlothfulError('bad-parameter', 'clip skip', problem, `take ${layers} at most`);
  }
  const states = `${norm ? 'normed' : 'hidden'}_states_${layers - skip}`;
  const wanted = projection === null ? [states] : [states, 'text_embeds'];
  const feeds = {
    input_ids: tf.tensor2d(ids.flat(), [ids.length, CHUNK_LENGTH], 'int32'),
    eos_token_id: tokenizer.end,
  };
  try {
    const tensors = model.execute(feeds, wanted);
    const [hiddenStates, pooled] = await Promise.all(wanted.map((name) => taken(tensors[name], model.place)));
    if (!hiddenStates) throw new SlothfulError('bug', model.place, 'gave no hidden states');
    return { hiddenStates, pooled };
  } finally {
    feeds.input_ids.dispose();
  }
}

/** A tensor's values; the tensor is disposed of. */
async function taken(tensor: tf.Tensor | undefined, place: string): Promise<Values> {
  if (!tensor) throw new SlothfulError('bug', place, 'gave no tensor');
  try {
    return { shape: tensor.shape, data: Float32Array.from(await tensor.data()) };
  } finally {
    tensor.dispose();
  }
}
