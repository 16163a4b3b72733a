import { SlothfulError } from '../../errors.ts';
import { describe, readBoolean, readMode, readNumber, recordOf } from './parameter-reader.ts';
import { PARAMETERS, SIMPLE_PARAMETERS, type SimpleParameters, type SlothfulParameters } from './parameters.ts';

const FULL_NAMES = [...Object.keys(PARAMETERS), 'compat'];
const SIMPLE_NAMES = [...Object.keys(SIMPLE_PARAMETERS), 'compat'];

/** The full node's defaults. */
export const DEFAULT_PARAMETERS: SlothfulParameters = parseParameters({}, 'defaults');
/** The Simple node's defaults. */
export const DEFAULT_SIMPLE_PARAMETERS: SimpleParameters = parseSimple({}, 'defaults');

/**
 * Checks parameters of the full node that come from outside and fills in the defaults.
 *
 * @param value an object with any of the names of `PARAMETERS`, and `compat`
 * @param place where it is from (a file, a flag), for messages
 * @throws SlothfulError `bad-parameter`: unknown name, wrong type, out of range
 */
export function parseParameters(value: unknown, place = 'parameters'): SlothfulParameters {
  const record = recordOf(value, FULL_NAMES, place);
  const number = (name: NumberName) => readNumber(name, PARAMETERS[name], record[name], place);
  const mode = (name: 'in_mode' | 'out_mode') => readMode(name, PARAMETERS[name], record[name], place);
  return {
    time_decay: number('time_decay'),
    keep_middle: readBoolean('keep_middle', PARAMETERS.keep_middle, record.keep_middle, place),
    in_mode: mode('in_mode'),
    in_depth_decay: number('in_depth_decay'),
    in_strength: number('in_strength'),
    in_k_blend: number('in_k_blend'),
    in_v_blend: number('in_v_blend'),
    out_mode: mode('out_mode'),
    out_depth_decay: number('out_depth_decay'),
    out_strength: number('out_strength'),
    out_k_blend: number('out_k_blend'),
    out_v_blend: number('out_v_blend'),
    ...readCompat(record.compat, place),
  };
}

/**
 * The full parameters that the Simple node stands for: the middle block kept, one depth decay, one blend for K and V.
 *
 * @param value an object with any of the names of `SIMPLE_PARAMETERS`, and `compat`; the rest are defaults
 * @throws SlothfulError `bad-parameter`
 */
export function simpleParameters(value: unknown, place = 'parameters'): SlothfulParameters {
  const record = recordOf(value, SIMPLE_NAMES, place);
  const simple = parseSimple(record, place);
  return {
    time_decay: simple.time_decay,
    keep_middle: true,
    in_mode: simple.in_mode,
    in_depth_decay: simple.depth_decay,
    in_strength: simple.in_strength,
    in_k_blend: simple.in_blend,
    in_v_blend: simple.in_blend,
    out_mode: simple.out_mode,
    out_depth_decay: simple.depth_decay,
    out_strength: simple.out_strength,
    out_k_blend: simple.out_blend,
    out_v_blend: simple.out_blend,
    ...readCompat(record.compat, place),
  };
}

type NumberName = Exclude<keyof typeof PARAMETERS, 'keep_middle' | 'in_mode' | 'out_mode'>;
type SimpleNumberName = Exclude<keyof SimpleParameters, 'in_mode' | 'out_mode'>;

function parseSimple(record: Readonly<Record<string, unknown>>, place: string): SimpleParameters {
  const number = (name: SimpleNumberName) => readNumber(name, SIMPLE_PARAMETERS[name], record[name], place);
  const mode = (name: 'in_mode' | 'out_mode') => readMode(name, SIMPLE_PARAMETERS[name], record[name], place);
  return {
    time_decay: number('time_decay'),
    depth_decay: number('depth_decay'),
    in_mode: mode('in_mode'),
    in_strength: number('in_strength'),
    in_blend: number('in_blend'),
    out_mode: mode('out_mode'),
    out_strength: number('out_strength'),
    out_blend: number('out_blend'),
  };
}

/** Left out where it is not set, so that parameters compare and print as the node's. */
function readCompat(value: unknown, place: string): { compat?: 'comfyui' } {
  if (value === undefined) return {};
  if (value === 'comfyui') return { compat: value };
  throw new SlothfulError('bad-parameter', place, `compat must be "comfyui" or absent, got ${describe(value)}`);
}
