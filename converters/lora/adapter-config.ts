import { messageOf, SlothfulError } from '../../src/errors.ts';
import { isObject } from '../../src/graph/index.ts';
import { moduleOf } from './keys.ts';

/** What newer diffusers releases keep of PEFT's settings beside the matrices. */
export interface AdapterConfig {
  /** The alpha of a module; undefined where the settings do not tell. */
  alphaOf(module: string): number | undefined;
  /** Divide alpha by the root of the rank, not by the rank. */
  readonly rankStabilised: boolean;
}

const KEY = 'lora_adapter_metadata';

/**
 * Reads `lora_adapter_metadata` of a file's `__metadata__`; undefined where there is none.
 *
 * @throws SlothfulError `bad-checkpoint` where it cannot be read, `unsupported` for DoRA and patterns
 * Source: diffusers, `save_lora_adapter`; PEFT, `LoraConfig`.
 */
export function parseAdapterConfig(metadata: ReadonlyMap<string, string>, file: string): AdapterConfig | undefined {
  const text = metadata.get(KEY);
  if (text === undefined) return undefined;
  const fields = readFields(text, `${file} "${KEY}"`);
  const field = (name: string) => fields[`unet.${name}`] ?? fields[name];
  if (field('use_dora') === true) throw refusal(file, 'is a DoRA (use_dora)');
  const pattern = field('alpha_pattern');
  const patterns = Object.entries(isObject(pattern) ? pattern : {}).map(([name, alpha]) => ({
    module: moduleName(name, file),
    alpha: numberOf(alpha, file),
  }));
  const all = field('lora_alpha') === undefined ? undefined : numberOf(field('lora_alpha'), file);
  return {
    alphaOf: (module) =>
      patterns.find((each) => module === each.module || module.endsWith(`_${each.module}`))?.alpha ?? all,
    rankStabilised: field('use_rslora') === true,
  };
}

function readFields(text: string, place: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SlothfulError('bad-checkpoint', place, `is not JSON (${messageOf(error)})`, 'download it again', {
      cause: error,
    });
  }
  if (isObject(value)) return value;
  throw new SlothfulError('bad-checkpoint', place, 'is not a JSON object', 'download it again');
}

function moduleName(name: string, file: string): string {
  if (/^[\w.]+$/.test(name)) return moduleOf(name);
  throw refusal(file, `chooses alphas by the pattern "${name}"`);
}

function numberOf(value: unknown, file: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new SlothfulError('bad-checkpoint', `${file} "${KEY}"`, `has the alpha ${JSON.stringify(value)}`);
}

function refusal(file: string, problem: string): SlothfulError {
  return new SlothfulError(
    'unsupported',
    file,
    problem,
    'fuse it into the checkpoint with diffusers, and convert that',
  );
}
