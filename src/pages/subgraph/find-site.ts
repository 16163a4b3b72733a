import type { SurveyedSite } from '../../attention/index.ts';
import { suggest } from '../../documents/index.ts';
import { SlothfulError } from '../../errors.ts';

const BLOCKS: Readonly<Record<string, string>> = {
  down: 'input',
  in: 'input',
  mid: 'middle',
  up: 'output',
  out: 'output',
};

/**
 * The site that a user names: by its id, by the beginning of one (`down.0.0` is `input.0.0.0`), or by the exporter's
 * name. Where several begin so, the first.
 *
 * @throws SlothfulError `usage` where none is named so
 */
export function findSite<T extends Pick<SurveyedSite, 'id' | 'exporterName' | 'node'>>(
  sites: readonly T[],
  text: string,
  place: string,
): T {
  const [block = '', ...rest] = text.trim().split('.');
  const id = [BLOCKS[block] ?? block, ...rest].join('.');
  const found =
    sites.find((site) => site.id === id) ??
    sites.find((site) => site.id.startsWith(`${id}.`)) ??
    sites.find((site) => site.exporterName === text || site.node === text);
  if (found) return found;
  const ids = sites.map((site) => site.id);
  const close = suggest(id, ids);
  const cure = close
    ? `did you mean "${close}"?`
    : `it has ${ids.slice(0, 4).join(', ')}${ids.length > 4 ? ', ...' : ''}`;
  throw new SlothfulError(
    'usage',
    '--site',
    `"${text}" is no attention of ${place}`,
    ids.length ? cure : 'it has none',
  );
}
