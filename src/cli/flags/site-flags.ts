import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import { printDot, printSvg } from '../../pages/index.ts';
import { type Drawing, type DrawnModel, drawSites, type RunSize } from '../../reports/index.ts';

/** The flags that ask for a drawing of one site. */
export interface SiteArguments {
  readonly site?: string | undefined;
  readonly dot: boolean;
  readonly svg: boolean;
}

/** Adds `--site ID`, `--dot` and `--svg`. */
export function withSiteFlags<T>(cli: Argv<T>) {
  return cli
    .option('site', {
      type: 'string',
      describe: 'draw this attention before and after, such as input.0.0.0 or down.0.0',
    })
    .option('dot', { type: 'boolean', default: false, describe: 'with --site: print the drawing for Graphviz' })
    .option('svg', { type: 'boolean', default: false, describe: 'with --site: print the drawing as SVG' });
}

/**
 * The drawings that the flags ask for; none where they ask for none.
 *
 * @throws SlothfulError `usage` for a site that is not there, or flags that need one
 */
export async function siteDrawings(
  argv: SiteArguments,
  models: () => Promise<readonly DrawnModel[]>,
  size: Partial<RunSize>,
): Promise<Drawing[]> {
  if (argv.site !== undefined) return drawSites(await models(), argv.site, size);
  const flag = argv.dot ? '--dot' : argv.svg ? '--svg' : undefined;
  if (flag)
    throw new SlothfulError('usage', flag, 'needs to know which attention', 'add --site, such as --site input.0.0.0');
  return [];
}

/** Prints drawings where they alone were asked for. Returns whether it did. */
export function printDrawings(argv: SiteArguments, drawings: readonly Drawing[]): boolean {
  if (argv.dot) process.stdout.write(printDot(drawings));
  else if (argv.svg) process.stdout.write(printSvg(drawings));
  return argv.dot || argv.svg;
}
