import { pathToFileURL } from 'node:url';
import type { Argv, Options } from 'yargs';
import type { DeclaredParameter } from '../../documents/index.ts';
import { messageOf, SlothfulError } from '../../errors.ts';
import { localPath } from '../../models/node.ts';
import {
  type AskedPasses,
  expectPass,
  type PassDefinition,
  parsePassOption,
  passDefinitions,
  registerPass,
  SLOTHFUL,
} from '../../passes/index.ts';
import { parameterOption } from './parameter-option.ts';

/** What yargs hands to a command that takes passes beside Slothful Attention. */
export interface PassArguments {
  readonly pass?: readonly string[] | undefined;
  readonly [name: string]: unknown;
}

/**
 * Makes the passes known that `--use FILE` names, before the flags of commands are made: those follow from the passes. A file
 * exports its definition as the default.
 *
 * @param args the command line as it was given
 * @throws SlothfulError `usage`, `io` for a file that cannot be loaded, `bad-input` for what is not a pass
 */
export async function usePasses(args: readonly string[]): Promise<void> {
  for (const path of filesToUse(args)) {
    let loaded: unknown;
    try {
      loaded = await import(pathToFileURL(localPath(path)).href);
    } catch (error) {
      const cure = 'give a JavaScript module whose default export is a pass';
      throw new SlothfulError('io', `--use ${path}`, `cannot be loaded (${messageOf(error)})`, cure, { cause: error });
    }
    const value = typeof loaded === 'object' && loaded && 'default' in loaded ? loaded.default : undefined;
    registerPass(value, `--use ${path}`);
  }
}

function filesToUse(args: readonly string[]): string[] {
  return args.flatMap((arg, index) => {
    if (arg.startsWith('--use=')) return [arg.slice('--use='.length)];
    if (arg !== '--use') return [];
    const path = args[index + 1];
    if (path === undefined) throw new SlothfulError('usage', '--use', 'needs a file', 'write --use ./my-pass.mjs');
    return [path];
  });
}

/** Adds `--pass NAME,parameter=value` and a flag for every parameter of every pass beside Slothful Attention. */
export function withPassFlags<T>(cli: Argv<T>): Argv<T> {
  const names = peers().map(({ name, summary }) => `${name} (${summary})`);
  cli.option('pass', {
    ...{ type: 'string', array: true, nargs: 1, group: 'Other passes:' },
    describe: `also this pass: NAME or NAME,parameter=value,...; repeatable. Known: ${names.join('; ')}`,
  });
  for (const pass of peers()) {
    for (const [name, parameter] of Object.entries(pass.parameters)) {
      cli.option(flagOf(pass.name, name), optionOf(pass, parameter));
    }
  }
  return cli;
}

function peers(): readonly PassDefinition[] {
  return passDefinitions().filter(({ name }) => name !== SLOTHFUL.name);
}

function flagOf(pass: string, parameter: string): string {
  return `${pass}-${parameter.replaceAll('_', '-')}`;
}

function optionOf(pass: PassDefinition, parameter: DeclaredParameter): Options {
  const defaultDescription = `the model's; default ${parameter.default}`;
  return { group: `Pass ${pass.name}:`, defaultDescription, ...parameterOption(parameter) };
}

/**
 * The passes beside Slothful Attention that a command line asks for, with the parameters that it names: by `--pass`, or by
 * any flag of a pass's own.
 *
 * @throws SlothfulError `bad-input` for a pass that is not known, `usage`, `bad-parameter`
 */
export function readPasses(argv: PassArguments): AskedPasses {
  const asked: Record<string, Readonly<Record<string, unknown>>> = {};
  for (const text of argv.pass ?? []) {
    const [name, parameters] = parsePassOption(text, '--pass');
    if (name === SLOTHFUL.name) {
      throw new SlothfulError('usage', '--pass', 'Slothful Attention has flags of its own', 'such as --in-strength 8');
    }
    asked[name] = { ...asked[name], ...parameters };
  }
  for (const { name, parameters } of peers()) {
    const flags = Object.keys(parameters).map((key) => [key, argv[flagOf(name, key)]] as const);
    const given = flags.filter(([, value]) => value !== undefined);
    if (given.length) asked[name] = { ...asked[name], ...Object.fromEntries(given) };
  }
  for (const name of Object.keys(asked)) expectPass(name, '--pass');
  return asked;
}
