import { describe, type JsonObject } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import {
  PARAMETERS,
  parseParameters,
  SIMPLE_PARAMETERS,
  type SlothfulParameters,
  simpleParameters,
} from './parameters.ts';

/** Names that only the Simple node has. */
const ONLY_SIMPLE = Object.keys(SIMPLE_PARAMETERS).filter((name) => !(name in PARAMETERS));

/**
 * The full node's parameters from an object of them, or of the Simple node's: told by its names, or by `"preset": "simple"`.
 *
 * @param place the file, for messages
 * @throws SlothfulError `bad-parameter`
 */
export function parametersFromObject(value: JsonObject, place: string): SlothfulParameters {
  const { preset, ...parameters } = value;
  if (preset !== undefined && preset !== 'simple' && preset !== 'full') {
    throw new SlothfulError('bad-parameter', place, `preset must be "simple" or "full", got ${describe(preset)}`);
  }
  const simple = preset === 'simple' || (preset === undefined && ONLY_SIMPLE.some((name) => name in parameters));
  return simple ? simpleParameters(parameters, `${place} (Simple node)`) : parseParameters(parameters, place);
}
