/** What PEFT and diffusers keep of a LoRA's settings beside its matrices. */
import {
  flag,
  foreignObject,
  isObject,
  number,
  optional,
  parsePythonJson,
  readDocument,
  table,
  text,
} from '../../src/documents/index.ts';
import { messageOf, SlothfulError } from '../../src/errors.ts';
import { type LoraPart, moduleOf, ownerOf } from './parts.ts';

/** A LoRA's settings, as they are for one part. */
export interface AdapterSettings {
  /** The alpha of a module; undefined where the settings do not tell. */
  alphaOf(module: ModuleName): number | undefined;
  /** The rank that a module's alpha is divided by; undefined where the settings do not tell. */
  rankOf(module: ModuleName): number | undefined;
  /** Divide alpha by the root of the rank, not by the rank. */
  readonly rankStabilised: boolean;
  /** Every matrix has a magnitude. */
  readonly isDora: boolean;
}

/** A module as messages and the model's index call it, and as its file does, with its dots. */
export interface ModuleName {
  readonly module: string;
  readonly path: string;
}

/** Where a text with settings is from. */
export interface SettingsText {
  readonly text: string;
  readonly place: string;
}

/** What of PEFT's settings counts when a LoRA is fused. Some writers put the part of the pipeline before each name. */
const ADAPTER_SETTINGS = foreignObject({
  peft_type: optional(text()),
  r: optional(number()),
  alpha: optional(number()),
  lora_alpha: optional(number()),
  alpha_pattern: optional(table(number())),
  rank_pattern: optional(table(number())),
  use_rslora: optional(flag()),
  use_dora: optional(flag()),
});

/** Kinds of adapters of PEFT's whose files are read. */
const PEFT_TYPES = ['LORA', 'LOHA', 'LOKR'];
/** Ways to begin a training that change the weights of the model, too. */
const CHANGES_BASE = /^(?:pissa|olora|corda|loftq|lora_ga)/i;

/**
 * Reads a LoRA's settings: PEFT's `adapter_config.json`, or `lora_adapter_metadata` of a file's `__metadata__`.
 *
 * @param file the LoRA, for messages
 * @throws SlothfulError `bad-checkpoint` where they cannot be read, `unsupported` for other adapters than LoRA, LoHa and
 * LoKr, for patterns that are not understood, and for LoRAs of a model that was changed before
 * Source: PEFT, `LoraConfig`, `get_pattern_key`; diffusers, `save_lora_adapter`.
 */
export function parseSettings({ text: json, place }: SettingsText, file: string, part: LoraPart): AdapterSettings {
  const options = { place, code: 'bad-checkpoint', cure: 'download it again', nulls: 'absent' } as const;
  const value = ofPart(jsonOf(json, place), `${part}.`);
  const settings = readDocument(ADAPTER_SETTINGS, value, options);
  const { peft_type: type = 'LORA', use_rslora, use_dora } = settings;
  if (!PEFT_TYPES.includes(type)) throw refusal(file, `is an adapter of PEFT's type ${JSON.stringify(type)}`);
  const start = isObject(value) ? value.init_lora_weights : undefined;
  if (typeof start === 'string' && CHANGES_BASE.test(start)) {
    throw refusal(file, `belongs to a model that was changed when its training began (init_lora_weights "${start}")`);
  }
  const alphas = patterns(settings.alpha_pattern, part, file);
  const ranks = patterns(settings.rank_pattern, part, file);
  const alpha = settings.lora_alpha ?? settings.alpha;
  return {
    alphaOf: (module) => alphas(module) ?? alpha,
    rankOf: (module) => ranks(module) ?? settings.r,
    rankStabilised: use_rslora === true,
    isDora: use_dora === true,
  };
}

function jsonOf(json: string, place: string): unknown {
  try {
    return parsePythonJson(json, place);
  } catch (error) {
    const problem = messageOf(error).replace(`${place}: `, '');
    throw new SlothfulError('bad-checkpoint', place, problem, 'download it again', { cause: error });
  }
}

/** The settings of a part where those of several are told apart. */
function ofPart(settings: unknown, prefix: string): unknown {
  if (!isObject(settings)) return settings;
  const own = Object.entries(settings).filter(([name]) => name.startsWith(prefix));
  return { ...settings, ...Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value])) };
}

/** What a pattern may be of, besides names: few enough repeats that none takes long, whatever it is tried on. */
const SAFE_PATTERN = /^[\w.\\^$*+|?-]{1,400}$/;
const MOST_REPEATS = 2;
const LONGEST_PATH = 300;

/** The value of the first pattern that fits a module: the name of one, its end from a dot on, or a regular expression. */
function patterns(
  values: Readonly<Record<string, number>> = {},
  part: LoraPart,
  file: string,
): (module: ModuleName) => number | undefined {
  const known = Object.entries(values).map(([pattern, value]) => ({ fits: matcher(pattern, part, file), value }));
  return (module) => known.find(({ fits }) => fits(module))?.value;
}

function matcher(pattern: string, part: LoraPart, file: string): (module: ModuleName) => boolean {
  if (/^[\w.]+$/.test(pattern)) {
    const name = moduleOf(part, ownerOf(pattern).path);
    return ({ module }) => module === name || module.endsWith(`_${name}`);
  }
  const repeats = pattern.replaceAll('\\.', '').match(/[*+?]/g) ?? [];
  if (SAFE_PATTERN.test(pattern) && repeats.length <= MOST_REPEATS) {
    const expression = expressionOf(pattern);
    if (expression) return ({ path }) => path.length <= LONGEST_PATH && expression.test(path);
  }
  throw refusal(file, `chooses modules by the pattern "${pattern}"`);
}

function expressionOf(pattern: string): RegExp | undefined {
  try {
    return new RegExp(`^(?:.*\\.)?(?:${pattern})$`);
  } catch {
    return undefined;
  }
}

function refusal(file: string, problem: string): SlothfulError {
  return new SlothfulError(
    'unsupported',
    file,
    problem,
    'fuse it into the checkpoint with diffusers, and convert that',
  );
}
