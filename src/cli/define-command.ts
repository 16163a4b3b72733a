import type { ArgumentsCamelCase, Argv } from 'yargs';

/** What a command takes and does; its name and its line of help are in `commands.ts`. */
export interface Command<T> {
  readonly builder: (cli: Argv<object>) => Argv<T>;
  readonly handler: (argv: ArgumentsCamelCase<T>) => Promise<void>;
}

/** A command whose handler's arguments have the types that its builder gives them. */
export function defineCommand<T>(command: Command<T>): Command<T> {
  return command;
}

/**
 * Puts a command on a command line. Its module is loaded when it is called: TF.js takes its time, and commands that do not
 * compute should not wait for it.
 */
export function lazyCommand<T>(command: string, describe: string, load: () => Promise<Command<T>>) {
  return <C>(cli: Argv<C>): Argv<C> =>
    cli.command<T>({
      command,
      describe,
      builder: async (inner: Argv<object>) => (await load()).builder(inner),
      handler: async (argv) => (await load()).handler(argv),
    });
}
