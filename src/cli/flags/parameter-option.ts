import type { Options } from 'yargs';
import type { DeclaredParameter } from '../../documents/index.ts';

/** The type and the words of a flag for a declared parameter: what it does, and what it can be. */
export function parameterOption(parameter: DeclaredParameter): Pick<Options, 'type' | 'describe'> {
  const { help } = parameter;
  switch (parameter.type) {
    case 'boolean':
      return { type: 'boolean', describe: help };
    case 'choice':
      return { type: 'string', describe: `${help}: ${parameter.choices.join(', ')}` };
    case 'text':
      return { type: 'string', describe: help };
    default:
      return { type: 'number', describe: `${help} (${parameter.min} to ${parameter.max})` };
  }
}
