import {
  DEFAULT_PARAMETERS,
  type PassParameters,
  parseParameters,
  type SlothfulMetadata,
  type SlothfulOptions,
  type SlothfulParameters,
} from '../passes/index.ts';

/**
 * The one rule for parameters, of every command and every function here: the model's own (those that its patch recorded),
 * or the node's defaults where it is not patched; over them what is asked for.
 *
 * @param patch what the model says of its patch
 * @param changes any of the parameters; a preset or a file of parameters names all of them
 * @throws SlothfulError `bad-parameter`
 */
export function parametersInForce(
  patch: Pick<SlothfulMetadata, 'parameters'> | undefined,
  changes: SlothfulOptions | Readonly<Record<string, unknown>> = {},
): SlothfulParameters {
  return parseParameters({ ...(patch?.parameters ?? DEFAULT_PARAMETERS), ...changes }, 'parameters');
}

/** All parameters on one line, for people. */
export function parametersLine(parameters: SlothfulParameters): string {
  const values = Object.entries(parameters).map(([name, value]) => `${name} ${value}`);
  return `parameters: ${values.join(', ')}`;
}

/** The other passes that act, a line each, for people. */
export function passLines(passes: PassParameters): string[] {
  return Object.entries(passes).map(([name, parameters]) => {
    const values = Object.entries(parameters).map(([key, value]) => `${key} ${value}`);
    return `pass ${name}${values.length ? `: ${values.join(', ')}` : ''}`;
  });
}
