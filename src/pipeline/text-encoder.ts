import * as tf from '@tensorflow/tfjs-core';
import { SlothfulError } from '../errors.ts';
import type { LoadedModel } from '../runtime/index.ts';
import type { Values } from '../sampling/index.ts';
import {
  CHUNK_LENGTH,
  type ClipTokenizer,
  checkVocabulary,
  type EncodedChunks,
  type HiddenLayer,
  type PromptEncoder,
  type TextEncoderFacts,
  textEncoderFacts,
} from '../text/index.ts';

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

/** @throws SlothfulError `bad-parameter` where a text encoder has not so many layers to leave out */
export function checkSkip({ layers }: TextEncoderFacts, skip: number, place: string): void {
  if (skip < layers) return;
  throw new SlothfulError('bad-parameter', 'clip skip', `leaves out ${skip} layers, and ${place} has ${layers}`);
}

async function encode(
  model: LoadedModel,
  facts: TextEncoderFacts,
  tokenizer: ClipTokenizer,
  ids: readonly (readonly number[])[],
  { skip, norm }: HiddenLayer,
): Promise<EncodedChunks> {
  checkSkip(facts, skip, model.place);
  const { layers, projection } = facts;
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
