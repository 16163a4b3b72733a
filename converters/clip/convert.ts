import { SlothfulError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/graph/index.ts';
import { openCheckpoint } from '../checkpoint/index.ts';
import { type ConversionOptions, type ConvertSummary, reading, writeGraph } from '../model/index.ts';
import { checkModules, type DtypeChoice, type NamedTensors, weightEntries } from '../weights/index.ts';
import { buildTextEncoder } from './build.ts';
import { type TextEncoderConfig, textEncoderConfig } from './config.ts';
import { type TextEncoderName, type TextTensors, textEncoderKind, textEncoderTensors } from './tensors.ts';

/** A text encoder's tensors with what was put into them. */
export interface FusedText {
  readonly found: NamedTensors;
  /** For `userDefinedMetadata`. */
  readonly records: JsonObject;
  readonly notes: readonly string[];
  close(): Promise<void>;
}

/** Puts something into a text encoder's tensors before they are stored. */
export type FuseText = (found: TextTensors, how: { dtype: DtypeChoice; place: string }) => Promise<FusedText>;

/** How a text encoder is converted, whatever is put into it. */
export interface TextEncoderOptions extends ConversionOptions {
  /** Which of a pipeline's text encoders; the first where nothing is said. */
  readonly which?: TextEncoderName;
  /**
   * The id of the token that ends a prompt, as the tokenizer has it. Without it what the config says, except 2, which
   * published configs say wrongly; else the last of the vocabulary, which it is in CLIP's.
   */
  readonly eosTokenId?: number | undefined;
}

/**
 * Converts a CLIP text encoder to a TF.js graph model of stock ops, streaming: one tensor in memory at a time.
 *
 * @param source a pipeline folder, the encoder's own folder, or a single .safetensors file (LDM's or transformers' names)
 * @param outDir where `model.json` and its shards go; written under a temporary name first
 * @throws SlothfulError `bad-checkpoint`, `unsupported`, `exists`, `io`, and whatever `fuse` throws
 */
export async function convertClip(
  source: string,
  outDir: string,
  options: TextEncoderOptions,
  fuse: FuseText,
): Promise<ConvertSummary> {
  const { which = 'text_encoder', dtype = 'auto' } = options;
  const checkpoint = await openCheckpoint(source, textEncoderKind(which), options);
  try {
    const found = textEncoderTensors(checkpoint);
    const config = textEncoderConfig(found, options.config, checkpoint.config, checkpoint.path);
    checkModules(layerModules(config), found, checkpoint.path);
    const fused = await fuse(found, { dtype, place: checkpoint.path });
    try {
      const written = await convertWith(fused, config, checkpoint.path, outDir, reading(options, source));
      const notes = [...checkpoint.notes, ...fused.notes, ...written.notes];
      return { kind: 'text_encoder', family: 'clip', ...written, notes };
    } finally {
      await fused.close();
    }
  } finally {
    await checkpoint.close();
  }
}

async function convertWith(
  { found, records }: FusedText,
  config: TextEncoderConfig,
  place: string,
  outDir: string,
  options: TextEncoderOptions,
) {
  const eosTokenId = options.eosTokenId ?? eosOf(config.eosTokenId, config.vocabulary);
  checkEos(eosTokenId, config.vocabulary, place);
  const { graph, weights } = buildTextEncoder(config, eosTokenId, 'slothful convert');
  const entries = weightEntries(weights, found, place, options.dtype ?? 'auto');
  graph.setMetadata({ kind: 'text_encoder', text_encoder: recordOf(config, eosTokenId), ...records });
  return writeGraph(outDir, graph, entries, options);
}

function recordOf(config: TextEncoderConfig, eosTokenId: number): JsonObject {
  return {
    width: config.width,
    layers: config.layers,
    heads: config.heads,
    activation: config.activation,
    positions: config.positions,
    vocabulary: config.vocabulary,
    projection: config.projection ?? null,
    eos_token_id: eosTokenId,
  };
}

/** The layers that a config claims, by transformers' names. */
function layerModules({ layers }: TextEncoderConfig): string[] {
  return Array.from({ length: layers }, (_, index) => `text_model.encoder.layers.${index}`);
}

/** What configs of before transformers 4.29 say, whatever the tokenizer. */
const LEGACY_EOS = 2;

function eosOf(said: number | undefined, vocabulary: number): number {
  return said === undefined || said === LEGACY_EOS ? vocabulary - 1 : said;
}

function checkEos(eosTokenId: number, vocabulary: number, place: string): void {
  if (eosTokenId < vocabulary) return;
  const problem = `has a vocabulary of ${vocabulary}, and the token that ends prompts is ${eosTokenId}`;
  throw new SlothfulError('bad-checkpoint', place, problem, 'give the tokenizer of this text encoder');
}
