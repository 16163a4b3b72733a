import { parseJson } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { ModelFile, type ModelStore, type PipelineStore } from '../models/index.ts';
import { clipVocabulary } from './clip-vocabulary.ts';
import { parseTokenizer } from './parse-tokenizer.ts';
import { checkVocabulary, type TextEncoderFacts, textEncoderFacts } from './text-encoder-facts.ts';
import { ClipTokenizer, SECOND_PAD } from './tokenizer.ts';

/** Reads a file beside a tokenizer's others; undefined where there is none. */
export type ReadTokenizerFile = (name: string) => Promise<string | undefined>;

/**
 * Reads a tokenizer: vocab.json and merges.txt, or tokenizer.json, and what tokenizer_config.json or
 * special_tokens_map.json says of padding.
 *
 * @param place the folder, for messages
 * @throws SlothfulError `io`; `bad-model` where the vocabulary is missing or wrong, or a file is no JSON
 */
export async function readTokenizerFiles(read: ReadTokenizerFile, place: string): Promise<ClipTokenizer> {
  const jsonOf = async (name: string) => {
    const text = await read(name);
    return text === undefined ? undefined : parseJson(text, { place: `${place}/${name}`, code: 'bad-model' });
  };
  const vocabulary = await jsonOf('vocab.json');
  const merges = await read('merges.txt');
  const tokenizer = vocabulary === undefined || merges === undefined ? await jsonOf('tokenizer.json') : undefined;
  const config = await jsonOf('tokenizer_config.json');
  const specialTokens = await jsonOf('special_tokens_map.json');
  return parseTokenizer({ vocabulary, merges, tokenizer, config, specialTokens }, place);
}

/** A text encoder of a pipeline that is not loaded yet, and its tokenizer. */
export interface TextPart {
  readonly store: ModelStore;
  readonly facts: TextEncoderFacts;
  readonly tokenizer: ClipTokenizer;
}

const PARTS = [
  { encoder: 'text_encoder', tokenizer: 'tokenizer' },
  { encoder: 'text_encoder_2', tokenizer: 'tokenizer_2' },
] as const;

/**
 * The text encoders of a pipeline, in their order, as their documents tell them; none where it has none. A pipeline
 * without tokenizers means CLIP's own.
 *
 * @throws SlothfulError `io`, `bad-model` where a vocabulary is missing or another encoder's
 */
export async function pipelineText(pipeline: PipelineStore): Promise<TextPart[]> {
  const parts: TextPart[] = [];
  for (const names of PARTS) {
    const store = pipeline.part(names.encoder);
    if (!store) continue;
    const { graph, place } = await ModelFile.open(store);
    const facts = textEncoderFacts(graph.metadata, place);
    const tokenizer = await tokenizerOf(pipeline, names.tokenizer);
    checkVocabulary(facts, tokenizer, place);
    parts.push({ store, facts, tokenizer });
  }
  return parts;
}

async function tokenizerOf(pipeline: PipelineStore, name: 'tokenizer' | 'tokenizer_2'): Promise<ClipTokenizer> {
  const folder = pipeline.manifest.parts[name];
  if (folder !== undefined) {
    return readTokenizerFiles((file) => pipeline.text(name, file), `${pipeline.place}/${folder}`);
  }
  const own = new ClipTokenizer(await clipVocabulary());
  return name === 'tokenizer' ? own : own.paddedWith(SECOND_PAD);
}

/** What a UNet takes of text. */
export interface TextInputs {
  /** Width of `encoder_hidden_states`. */
  readonly width: number | undefined;
  /** Width of `text_embeds`; undefined where it takes none. */
  readonly pooled: number | undefined;
}

/**
 * Refuses text encoders whose text a UNet does not take.
 *
 * @throws SlothfulError `bad-model` with both widths
 */
export function checkTextWidths(parts: readonly TextPart[], { width, pooled }: TextInputs, place: string): void {
  const cure = 'give the text encoders of the same model';
  const own = parts.reduce((sum, { facts }) => sum + facts.width, 0);
  if (width !== undefined && own !== width) {
    const widths = parts.map(({ facts }) => facts.width).join(' + ');
    const problem = `has text encoders of width ${widths}, and its UNet takes ${width}`;
    throw new SlothfulError('bad-model', place, problem, cure);
  }
  const projection = parts.at(-1)?.facts.projection ?? undefined;
  if (pooled === undefined || pooled === projection) return;
  const problem = `has a text encoder that projects to ${projection ?? 'nothing'}, and its UNet takes ${pooled}`;
  throw new SlothfulError('bad-model', place, problem, cure);
}
