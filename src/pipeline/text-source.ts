import { SlothfulError } from '../errors.ts';
import type { LoadedModel, ModelStore } from '../runtime/index.ts';
import { type RunConditioning, stacked, type TextTable } from '../sampling/index.ts';
import {
  hiddenLayer,
  type PromptRequest,
  type Prompts,
  type PromptWeights,
  pipelineText,
  promptList,
  type TextPart,
  textConditioning,
  textInputsOf,
  textMisfit,
  textTokens,
} from '../text/index.ts';
import type { BesideTensors } from './beside-sample.ts';
import { type Conditioner, promptConditioning } from './conditioning.ts';
import type { OpenedDocument } from './open-model.ts';
import { checkSkip, clipTextEncoder } from './text-encoder.ts';

/** What a run is told in words. Several prompts make as many pictures at once. */
export interface PromptChoice {
  readonly prompt?: Prompts | undefined;
  /** What to be guided away from: one for all prompts, or one for each; default: nothing. */
  readonly negativePrompt?: Prompts | undefined;
  /** Other words for SDXL's second text encoder; default: the same. */
  readonly prompt2?: Prompts | undefined;
  readonly negativePrompt2?: Prompts | undefined;
  /** How weights in a prompt are written and act, default as in ComfyUI. */
  readonly weights?: PromptWeights | undefined;
  /** Layers of the text encoder counted as in A1111: 1 is the last. */
  readonly clipSkip?: number | undefined;
}

/** What is known of a text before it is encoded. */
export interface TextFacts {
  /** Tokens that the UNet attends to. */
  readonly contextTokens: number;
  /** Whether there is anything to be guided away from. */
  readonly guidable: boolean;
}

/** Loads a part of the pipeline; what it gives is the caller's to dispose of. */
export type LoadPart = (store: ModelStore) => Promise<LoadedModel>;

/** Tensors of a file that a model takes beside its sample. */
export interface FileBeside {
  readonly tensors: BesideTensors;
  /** The file. */
  readonly place: string;
}

/** Where the text of runs comes from. */
export interface TextSource {
  /** What the file of the text has for a model that takes a mask or an image beside its sample. */
  readonly beside?: FileBeside | undefined;
  /**
   * What a run can be decided by before anything is loaded.
   *
   * @param guided false where nothing guides
   * @throws SlothfulError `usage` where there is no prompt, `bad-input` for words or weights that cannot be
   */
  facts(prompt: Prompts | undefined, guided?: boolean): TextFacts;
  /**
   * What the model is told of each prompt. Text encoders are loaded for it, and gone when it is done.
   *
   * @throws SlothfulError `bad-parameter` for a clip skip that cannot be, and what loading throws
   */
  encode(prompts: readonly (Prompts | undefined)[], guided: boolean, load: LoadPart): Promise<Conditioner>;
}

/** Text that needs no encoder: of tensors. */
export function tensorSource(conditioning: RunConditioning, beside?: FileBeside): TextSource {
  const contextTokens = conditioning.cond.encoder_hidden_states?.shape[1] ?? 0;
  const facts = { contextTokens, guidable: conditioning.uncond !== undefined };
  return { beside, facts: () => facts, encode: async () => () => conditioning };
}

/** The words that a small model carries. */
export function tableSource(table: TextTable, choice: PromptChoice = {}): TextSource {
  const { negativePrompt, prompt2, negativePrompt2, weights, clipSkip } = choice;
  refuseGiven(
    { '--weights': weights, '--clip-skip': clipSkip },
    'is for text encoders, and this model has words of its own',
  );
  refuseSecond({ prompt2, negativePrompt2 });
  const make = (prompt: Prompts | undefined) => tableConditioning(table, prompt, negativePrompt);
  return {
    facts(prompt) {
      make(prompt);
      return { contextTokens: table.length, guidable: true };
    },
    encode: async () => make,
  };
}

function tableConditioning(
  table: TextTable,
  prompt: Prompts | undefined,
  negative: Prompts | undefined = '',
): RunConditioning {
  const example = table.prompts[0] ?? [...table.vocab.keys()][0] ?? '';
  const prompts = promptsOf(prompt, example);
  const away = promptList(negative);
  const made = prompts.map((each, index) => promptConditioning(table, each, away[index] ?? away[0] ?? ''));
  if (away.length > 1 && away.length !== prompts.length) {
    const problem = `are ${away.length}, and there are ${prompts.length} prompts`;
    throw new SlothfulError('bad-input', 'negative prompts', problem, 'give one, or one for each');
  }
  const rows = (half: 'cond' | 'uncond') => stacked(made.flatMap((each) => each[half]?.encoder_hidden_states ?? []));
  return { cond: { encoder_hidden_states: rows('cond') }, uncond: { encoder_hidden_states: rows('uncond') } };
}

function refuseSecond({ prompt2, negativePrompt2 }: PromptChoice): void {
  const given = { '--prompt-2': prompt2, '--negative-prompt-2': negativePrompt2 };
  refuseGiven(given, 'is for a second text encoder, which this model does not have');
}

function refuseGiven(flags: Readonly<Record<string, unknown>>, problem: string): void {
  const flag = Object.keys(flags).find((name) => flags[name] !== undefined);
  if (flag !== undefined) throw new SlothfulError('usage', flag, problem, 'leave it out');
}

function promptsOf(prompt: Prompts | undefined, example: string): readonly string[] {
  if (prompt !== undefined) return promptList(prompt);
  throw new SlothfulError('usage', '--prompt', 'is missing', `say what to draw, such as --prompt "${example}"`);
}

const EXAMPLE = 'a photo of a sloth';

/**
 * The text encoders of the pipeline that a model belongs to; undefined where it belongs to none, or to one without.
 *
 * @throws SlothfulError `io`, `bad-model` where a vocabulary is missing, or an encoder is another model's
 */
export async function encoderSource(model: OpenedDocument, choice: PromptChoice): Promise<TextSource | undefined> {
  const { pipeline } = model.file.store;
  const parts = pipeline ? await pipelineText(pipeline) : [];
  if (!pipeline || !parts.length) return undefined;
  const misfit = textMisfit(
    parts.map(({ facts }) => facts),
    textInputsOf(model.graph.metadata),
  );
  if (misfit) throw new SlothfulError('bad-model', pipeline.place, misfit, 'give the text encoders of the same model');
  if (parts.length === 1) refuseSecond(choice);
  const zeroNegative = pipeline.manifest.force_zeros_for_empty_prompt;
  const request = (prompt: Prompts | undefined, guided: boolean): PromptRequest => ({
    ...{ prompt: promptsOf(prompt, EXAMPLE), negative: choice.negativePrompt, guided },
    ...{ prompt_2: choice.prompt2, negative_2: choice.negativePrompt2 },
    ...{ weights: choice.weights, clipSkip: choice.clipSkip },
  });
  const tokenizers = parts.map(({ tokenizer }) => tokenizer);
  return {
    facts: (prompt, guided = true) => {
      checkClipSkip(parts, choice);
      return { contextTokens: textTokens(tokenizers, request(prompt, guided), zeroNegative), guidable: true };
    },
    encode: async (prompts, guided, load) => {
      const requests = prompts.map((prompt) => request(prompt, guided));
      const encoded = await encodeAll(parts, requests, zeroNegative, load);
      const made = new Map(prompts.map((prompt, index) => [keyOf(prompt), encoded[index]] as const));
      return (prompt) => found(made.get(keyOf(prompt)));
    },
  };
}

/** @throws SlothfulError `bad-parameter` where a text encoder has no such layer */
function checkClipSkip(parts: readonly TextPart[], choice: PromptChoice): void {
  const { skip } = hiddenLayer(parts.length, choice);
  for (const { facts, store } of parts) checkSkip(facts, skip, store.place);
}

const keyOf = (prompt: Prompts | undefined): string => JSON.stringify(prompt ?? null);

function found(conditioning: RunConditioning | undefined): RunConditioning {
  if (conditioning) return conditioning;
  throw new SlothfulError('bug', 'text', 'a prompt was not encoded');
}

async function encodeAll(
  parts: readonly TextPart[],
  requests: readonly PromptRequest[],
  zeroNegative: boolean,
  load: LoadPart,
): Promise<RunConditioning[]> {
  const loaded: LoadedModel[] = [];
  try {
    for (const { store } of parts) loaded.push(await load(store));
    const encoders = loaded.map((model, index) => clipTextEncoder(model, tokenizerOf(parts, index)));
    const made: RunConditioning[] = [];
    for (const request of requests) made.push(await textConditioning({ encoders, zeroNegative }, request));
    return made;
  } finally {
    for (const model of loaded) model.dispose();
  }
}

function tokenizerOf(parts: readonly TextPart[], index: number): TextPart['tokenizer'] {
  const part = parts[index];
  if (part) return part.tokenizer;
  throw new SlothfulError('bug', 'text encoders', `there is no number ${index}`);
}
