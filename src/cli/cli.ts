import yargs from 'yargs';
import { isObject, suggest } from '../documents/index.ts';
import { messageOf, SlothfulError } from '../errors.ts';
import { VERSION } from '../version.ts';
import { COMMANDS } from './commands.ts';
import { fileUrlsToPaths } from './flags/file-urls.ts';
import { messageByFlag } from './flags/named-flag.ts';
import { refuseNoNumbers } from './flags/number-flags.ts';
import { usePasses } from './flags/pass-flags.ts';
import { sayLine, sayLines } from './printer.ts';

function buildCli(args: readonly string[]) {
  const cli = yargs([...args])
    .scriptName('slothful')
    .usage(
      '$0 <command>\n\nSlothful Attention for TensorFlow.js: convert, inspect, patch and run Stable Diffusion UNets.',
    )
    .option('use', {
      ...{ type: 'string', array: true, nargs: 1, global: true },
      describe: 'a JavaScript module with a pass of your own; repeatable',
    })
    .option('verbose', { type: 'boolean', global: true, default: false, describe: 'print the stack of an error' })
    .demandCommand(1, 'name a command')
    .recommendCommands()
    .strict()
    .version(VERSION)
    .help()
    .wrap(Math.min(110, process.stdout.columns || 100))
    .exitProcess(false)
    .fail(false);
  cli.middleware((argv) => {
    refuseNoNumbers(args, optionsOf(cli, 'number'));
    refuseTwice(argv, optionsOf(cli, 'array'));
    fileUrlsToPaths(argv);
  });
  for (const addTo of COMMANDS) addTo(cli);
  return cli;
}

/** The flags of the command that is parsed that are of a kind, by yargs' own list of them. */
function optionsOf(cli: object, kind: 'array' | 'number'): string[] {
  const getOptions: unknown = Reflect.get(cli, 'getOptions');
  const options: unknown = typeof getOptions === 'function' ? getOptions.call(cli) : undefined;
  const names = isObject(options) ? options[kind] : undefined;
  return Array.isArray(names) ? names.map(String) : [];
}

/** A flag that is given twice becomes a list, which only repeatable ones are. @throws SlothfulError `usage` */
function refuseTwice(argv: object, lists: readonly string[]): void {
  // yargs has every flag by its name in camel case too.
  const names = new Set(lists.flatMap((name) => [name, name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())]));
  for (const [name, value] of Object.entries(argv)) {
    if (!Array.isArray(value) || name === '_' || names.has(name)) continue;
    throw new SlothfulError('usage', `--${name}`, `is given ${value.length} times`, 'give it once');
  }
}

/**
 * Runs one command line. Results go to stdout, everything else to stderr.
 *
 * @returns the exit code: 0, or 1 after one line about what was wrong; 130 after Ctrl-C
 */
export async function runCli(args: readonly string[]): Promise<number> {
  stopOnClosedPipe();
  try {
    await usePasses(args);
    const cli = buildCli(args);
    await cli.parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    const flags = await knownFlags(args);
    sayLine(`slothful: ${explain(error, args, flags)}`);
    if (args.includes('--verbose') && error instanceof Error) sayLines(error.stack ?? '');
    return error instanceof SlothfulError && error.code === 'aborted' ? 130 : 1;
  }
}

let heedsPipe = false;

/** A reader such as `head` may close the pipe early; that is its right and no error of ours. */
function stopOnClosedPipe(): void {
  if (heedsPipe) return;
  heedsPipe = true;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

/** The flags that the help of the named command lists. */
async function knownFlags(args: readonly string[]): Promise<string[]> {
  const command = args.find((arg) => !arg.startsWith('-'));
  const help = await buildCli(command ? [command] : [])
    .getHelp()
    .catch(() => '');
  return [...help.matchAll(/--([a-z][\w-]*)/g)].map((match) => match[1] ?? '');
}

function explain(error: unknown, args: readonly string[], flags: readonly string[]): string {
  const message = messageOf(error);
  const unknown = /^Unknown arguments?: (.*)$/.exec(message);
  if (unknown?.[1]) return explainUnknown(unknown[1].split(', '), flags);
  if (error instanceof SlothfulError) return messageByFlag(error, args);
  return message || 'stopped for a reason that it did not give; --verbose prints where';
}

function explainUnknown(names: readonly string[], flags: readonly string[]): string {
  const [first = ''] = names;
  const flag = first.replaceAll('_', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const close = suggest(flag, flags);
  return `unknown argument "${first}"${close ? `; did you mean --${close}?` : '; --help lists what there is'}`;
}
