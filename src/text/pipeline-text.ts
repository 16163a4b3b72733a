import { isObject, type JsonObject, parseForeignJson } from '../documents/index.ts';
import { ModelFile, type ModelStore, type PipelineStore, unetField } from '../models/index.ts';
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
    return text === undefined ? undefined : parseForeignJson(text, { place: `${place}/${name}`, code: 'bad-model' });
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
  readonly width: unknown;
  /** Width of `text_embeds`; undefined where it takes none. */
  readonly pooled: unknown;
}

/** What a UNet takes of text, as its conversion recorded it, unchecked. */
export function textInputsOf(metadata: JsonObject): TextInputs {
  const addition = unetField(metadata, 'addition');
  const pooled = isObject(addition) ? (addition.text_embed_dim ?? addition.textEmbedDim) : undefined;
  return { width: unetField(metadata, 'context_dim'), pooled };
}

/** Why a UNet cannot read what text encoders write; undefined where it can, or does not say what it takes. */
export function textMisfit(
  encoders: readonly Pick<TextEncoderFacts, 'width' | 'projection'>[],
  { width, pooled }: TextInputs,
): string | undefined {
  const own = encoders.reduce((sum, encoder) => sum + encoder.width, 0);
  if (width !== undefined && own !== width) {
    const widths = encoders.map((encoder) => encoder.width).join(' + ');
    return `has text encoders of width ${widths}, and the UNet takes ${width}`;
  }
  const projection = encoders.at(-1)?.projection ?? undefined;
  if (pooled === undefined || pooled === projection) return undefined;
  return `has a text encoder that projects to ${projection ?? 'nothing'}, and the UNet takes ${pooled}`;
}
