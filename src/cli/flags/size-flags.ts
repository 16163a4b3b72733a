import type { Argv } from 'yargs';
import { SlothfulError } from '../../errors.ts';
import type { Graph } from '../../graph/index.ts';
import { pixelScale, type RunSize } from '../../reports/index.ts';

/** The flags that say at what size a model is looked at. */
export interface SizeArguments {
  readonly size?: string | undefined;
  readonly latent?: string | undefined;
  readonly batch?: number | undefined;
  readonly contextTokens?: number | undefined;
}

/** Adds `--size WxH`, `--latent HxW`, `--batch` and `--context-tokens`. */
export function withSizeFlags<T>(cli: Argv<T>) {
  return cli
    .option('size', { type: 'string', describe: "WxH of the picture in pixels, such as 512x768; the model's own" })
    .option('latent', { type: 'string', describe: 'HxW of the latent instead, such as 96x64' })
    .option('batch', { type: 'number', describe: 'samples at once, 1; guidance doubles them' })
    .option('context-tokens', { type: 'number', describe: 'tokens of the text, 77' });
}

/**
 * The size that the flags ask for; what they leave open is the model's own.
 *
 * @throws SlothfulError `usage` for a text that is no size, or pixels that are no whole latent
 */
export function readSize(argv: SizeArguments, graph: Graph): Partial<RunSize> {
  const { batch, contextTokens } = argv;
  if (argv.size !== undefined && argv.latent !== undefined) {
    throw new SlothfulError('usage', '--size', 'cannot be combined with --latent', 'give one');
  }
  return {
    ...extent(argv, pixelScale(graph)),
    ...(batch === undefined ? {} : { batch }),
    ...(contextTokens === undefined ? {} : { contextTokens }),
  };
}

function extent({ size, latent }: SizeArguments, scale: number): Partial<RunSize> {
  if (latent !== undefined) {
    const [rows, columns] = pair(latent, '--latent', 'HxW, such as 96x64');
    return { rows, columns };
  }
  if (size === undefined) return {};
  const [width, height] = pair(size, '--size', 'WxH, such as 512x768');
  if (width % scale || height % scale) {
    const cure = `${nearest(width, scale)}x${nearest(height, scale)} is near it`;
    throw new SlothfulError('usage', '--size', `${width}x${height} is not a multiple of ${scale} pixels`, cure);
  }
  return { rows: height / scale, columns: width / scale };
}

function nearest(pixels: number, scale: number): number {
  return Math.max(1, Math.round(pixels / scale)) * scale;
}

function pair(text: string, flag: string, form: string): readonly [number, number] {
  const found = /^(\d{1,6})[x*×](\d{1,6})$/i.exec(text.trim());
  const [, first = '', second = ''] = found ?? [];
  if (!found) throw new SlothfulError('usage', flag, `cannot read "${text}"`, `write ${form}`);
  return [Number(first), Number(second)];
}
