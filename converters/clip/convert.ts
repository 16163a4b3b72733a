import { SlothfulError } from '../../src/errors.ts';
import { openCheckpoint } from '../checkpoint/index.ts';
import { type ConversionOptions, type ConvertSummary, writeGraph } from '../model/index.ts';
import { weightEntries } from '../weights/index.ts';
import { buildTextEncoder } from './build.ts';
import { textEncoderConfig } from './config.ts';
import { type TextEncoderName, textEncoderKind, textEncoderTensors } from './tensors.ts';

/** How `convertTextEncoder` converts. */
export interface ConvertTextEncoderOptions extends ConversionOptions {
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
 * @throws SlothfulError `bad-checkpoint`, `unsupported`, `exists`, `io`
 */
export async function convertTextEncoder(
  source: string,
  outDir: string,
  options: ConvertTextEncoderOptions = {},
): Promise<ConvertSummary> {
  const { which = 'text_encoder' } = options;
  const checkpoint = await openCheckpoint(source, textEncoderKind(which), options);
  try {
    const found = textEncoderTensors(checkpoint);
    const config = textEncoderConfig(found, options.config, checkpoint.config, checkpoint.path);
    const eosTokenId = options.eosTokenId ?? eosOf(config.eosTokenId, config.vocabulary);
    checkEos(eosTokenId, config.vocabulary, checkpoint.path);
    const { graph, weights } = buildTextEncoder(config, eosTokenId, 'slothful convert');
    const entries = weightEntries(weights, found, checkpoint.path, options.dtype ?? 'auto');
    graph.setMetadata({
      kind: 'text_encoder',
      text_encoder: {
        width: config.width,
        layers: config.layers,
        heads: config.heads,
        activation: config.activation,
        positions: config.positions,
        vocabulary: config.vocabulary,
        projection: config.projection ?? null,
        eos_token_id: eosTokenId,
      },
    });
    const written = await writeGraph(outDir, graph, entries, options);
    return { kind: 'text_encoder', family: 'clip', ...written, notes: [...checkpoint.notes] };
  } finally {
    await checkpoint.close();
  }
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
