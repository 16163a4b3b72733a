import type { ArgumentsCamelCase, Argv, CommandModule } from 'yargs';

interface CommandSpec<T> {
  readonly command: string;
  readonly describe: string;
  readonly builder: (cli: Argv<object>) => Argv<T>;
  readonly handler: (argv: ArgumentsCamelCase<T>) => Promise<void>;
}

/** A command whose handler's arguments have the types that its builder gives them. */
export function defineCommand<T>(spec: CommandSpec<T>): CommandModule<object, T> {
  return spec;
}
