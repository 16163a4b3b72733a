import type { Argv, Options } from 'yargs';
import type { DeclaredParameter } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';
import { PARAMETERS, parseParameters, SIMPLE_PARAMETERS, simpleParameters } from '../../passes/slothful/index.ts';
import { readParametersFile } from '../../workflows/node.ts';
import { parameterOption } from './parameter-option.ts';

/** What yargs hands to a command that takes the node's parameters. */
export interface ParameterArguments {
  readonly params?: string | undefined;
  readonly preset?: string | undefined;
  readonly compat?: string | undefined;
  readonly [name: string]: unknown;
}

const SPECS: Readonly<Record<string, DeclaredParameter>> = { ...SIMPLE_PARAMETERS, ...PARAMETERS };
const GROUP = 'Slothful Attention:';

function flagOf(name: string): string {
  return name.replaceAll('_', '-');
}

function optionOf(name: string, spec: DeclaredParameter): Options {
  const only = name in PARAMETERS ? '' : ' (with --preset simple)';
  const alias = flagOf(name) === name ? {} : { alias: name };
  const { type, describe } = parameterOption(spec);
  const defaultDescription = `the model's; node default ${spec.default}`;
  return { ...alias, group: GROUP, defaultDescription, type, describe: `${describe}${type === 'number' ? only : ''}` };
}

/** Adds a flag for every parameter of both nodes, and `--preset`, `--params`, `--compat`. */
export function withParameterFlags<T>(cli: Argv<T>): Argv<T> {
  for (const [name, spec] of Object.entries(SPECS)) cli.option(flagOf(name), optionOf(name, spec));
  cli.option('preset', { choices: ['simple', 'full'], group: GROUP, describe: 'which node the flags are of' });
  cli.option('params', {
    type: 'string',
    group: GROUP,
    describe: 'JSON file: parameters, or a ComfyUI workflow; or a PNG that ComfyUI made',
  });
  cli.option('compat', {
    choices: ['comfyui'],
    group: GROUP,
    describe: 'reproduce the first release at blend 1 and 1',
  });
  return cli;
}

/** The file that parameters are read from, where one is named: no output may take its place. */
export function parameterFiles({ params }: ParameterArguments): string[] {
  return params === undefined ? [] : [params];
}

/** The parameters that were given as flags, by their own names. */
function givenFlags(argv: ParameterArguments): Record<string, unknown> {
  const names = [...Object.keys(SPECS), 'compat'];
  return Object.fromEntries(
    names.map((name) => [name, argv[flagOf(name)]] as const).filter(([, value]) => value !== undefined),
  );
}

/**
 * What a command line says of the parameters, to go over the model's own: the flags that were given, or with a file or a
 * preset all parameters, changed by the flags. Checked; undefined where nothing was given.
 *
 * @throws SlothfulError `bad-parameter`, `io`
 */
export async function readParameterChanges(
  argv: ParameterArguments,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const flags = givenFlags(argv);
  if (argv.preset === 'simple') {
    if (argv.params)
      throw new SlothfulError('usage', '--preset simple', 'cannot be combined with --params', 'give one');
    return { ...simpleParameters(flags, 'flags') };
  }
  const file = argv.params === undefined ? undefined : await readParametersFile(argv.params);
  if (!file && !Object.keys(flags).length && !argv.preset) return undefined;
  const all = parseParameters({ ...file, ...flags }, 'flags');
  return file || argv.preset ? { ...all } : flags;
}
