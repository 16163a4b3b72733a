import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import type { Graph } from '../../graph/index.ts';
import { type AskedExtent, sampleSize } from '../../pipeline/without-tfjs.ts';
import { pictureInput, type RunSize, textInput } from '../../reports/index.ts';
import type { PictureSize } from '../../sampling/index.ts';
import { givenOf } from './given.ts';

/** The flags that say at what size a model is looked at or run. */
export interface SizeArguments {
  readonly size?: string | undefined;
  readonly latent?: string | undefined;
  readonly batch?: number | undefined;
  readonly contextTokens?: number | undefined;
}

/** Adds `--size WxH` and `--latent HxW`. */
export function withSizeFlags<T>(cli: Argv<T>) {
  return cli
    .option('size', { type: 'string', describe: "WxH of the picture in pixels, such as 512x768; the model's own" })
    .option('latent', { type: 'string', describe: 'HxW of the latent instead, such as 96x64' });
}

/** Adds the size flags, `--batch` and `--context-tokens`, for reports that are of no run. */
export function withReportSizeFlags<T>(cli: Argv<T>) {
  return withSizeFlags(cli)
    .option('batch', { type: 'number', describe: 'samples at once, 1; guidance doubles them' })
    .option('context-tokens', { type: 'number', describe: 'tokens of the text; 77 where the model takes any' });
}

/**
 * The size that the flags ask of a run.
 *
 * @throws SlothfulError `usage` for a text that is not a size, or two sizes
 */
export function readExtent({ size, latent, batch }: SizeArguments): AskedExtent {
  if (size !== undefined && latent !== undefined) {
    throw new SlothfulError('usage', '--size', 'cannot be combined with --latent', 'give one');
  }
  const [rows, columns] = latent === undefined ? [] : pair(latent, '--latent', 'HxW, such as 96x64');
  return { batch, size: size === undefined ? undefined : pictureSize(size, '--size'), rows, columns };
}

/**
 * The size that the flags ask of a report; what they leave open is the model's own.
 *
 * @throws SlothfulError `usage` as `readExtent`, for pixels that do not make a whole latent, and for what the model has not
 */
export function readReportSize(argv: SizeArguments, graph: Graph): Partial<RunSize> {
  const { size, ...extent } = readExtent(argv);
  const picture = argv.size === undefined ? '--latent' : '--size';
  if ((size || extent.rows !== undefined) && !pictureInput(graph)) throw hasNone(picture, 'picture');
  if (argv.contextTokens !== undefined && !textInput(graph)) throw hasNone('--context-tokens', 'text');
  const asked = { ...extent, contextTokens: argv.contextTokens, ...(size && sampleSize(size, graph)) };
  return givenOf(asked);
}

function hasNone(flag: string, what: string): SlothfulError {
  return new SlothfulError('usage', flag, `no ${what} enters the model by an input that it declares`, 'leave it out');
}

/** A size in pixels that a flag has. @throws SlothfulError `usage` */
export function pictureSize(text: string, flag: string): PictureSize {
  const [width, height] = pair(text, flag, 'WxH, such as 512x768');
  if (width && height) return { width, height };
  throw new SlothfulError('usage', flag, `"${text}" has no pixels`, 'write WxH, such as 512x768');
}

/** Two numbers that a flag has. @throws SlothfulError `usage` */
export function pair(text: string, flag: string, form: string): readonly [number, number] {
  const found = /^(\d{1,6})[x*×](\d{1,6})$/i.exec(text.trim());
  const [, first = '', second = ''] = found ?? [];
  if (!found) throw new SlothfulError('usage', flag, `cannot read "${text}"`, `write ${form}`);
  return [Number(first), Number(second)];
}
