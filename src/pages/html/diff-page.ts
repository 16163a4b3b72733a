import type { DiffReport, DiffSite, Drawing, SiteChange } from '../../reports/index.ts';
import type { ClientSite } from '../client/data.ts';
import { changeText, diffSummary, diffTables } from '../diff-tables.ts';
import { drawingSection } from '../drawings/print-drawings.ts';
import { formatValue } from '../units.ts';
import { type Html, html } from './html.ts';
import { htmlPage, tableSection } from './page.ts';
import { type CellLook, mapSection } from './unet-map.ts';

const MARKS: Readonly<Record<SiteChange, string | undefined>> = {
  same: undefined,
  same_result: undefined,
  patched: 'added',
  unpatched: 'removed',
  changed: 'changed',
  added: 'added',
  removed: 'removed',
};
const LETTERS: Readonly<Record<SiteChange, string>> = {
  same: '=',
  same_result: '≡',
  patched: 'S',
  unpatched: 'u',
  changed: '!',
  added: '+',
  removed: '-',
};

/**
 * A comparison as one self-contained page: the UNet as a U with every change, and every table.
 *
 * @param drawings of one site in both models, to stand in the page too
 */
export function diffPage(report: DiffReport, drawings: readonly Drawing[] = []): string {
  const { a, b, sites, notes } = report;
  return htmlPage({
    title: `${a.model} against ${b.model}`,
    summary: diffSummary(report),
    notes,
    body: [
      ...(sites.length ? [changeMap(sites)] : []),
      ...drawingSection(drawings),
      ...diffTables(report).map((table) => tableSection(table)),
    ],
    data: { sites: sites.map(clientSite), steps: [] },
  });
}

function changeMap(sites: readonly DiffSite[]): Html {
  const shown = sites.flatMap((site) => {
    const own = site.b ?? site.a;
    return own ? [{ ...own, id: site.id }] : [];
  });
  const legend = [
    ['added', 'S patched, + only in b'],
    ['removed', 'u no longer patched, - only in a'],
    ['changed', '! changed'],
    ['cold', '= the same, ≡ the same result in one node or in stock ops.'],
  ].map(([name, text]) => html`<span class="swatch" style="background:var(--${name})"></span>${text}`);
  return mapSection(shown, {
    title: 'What changed',
    legend,
    label: 'The attentions of both models, marked by what changed',
    look: (index) => lookOf(sites[index]),
  });
}

function lookOf(site: DiffSite | undefined): CellLook {
  if (!site) return { label: '', shade: 0, title: '' };
  const { id, change, details } = site;
  const title = `${id}: ${changeText(site)}${details.length ? ` (${details.join('; ')})` : ''}`;
  return { label: LETTERS[change], shade: 0, title, mark: MARKS[change] };
}

function clientSite(site: DiffSite): ClientSite {
  const { id, kind, exporter_name, details, a, b } = site;
  const facts: [string, string][] = [
    ['site', id],
    ['kind', kind],
    ['exporter name', exporter_name],
    ['change', changeText(site)],
    ...details.map((detail): [string, string] => ['', detail]),
    ['node of a', a?.node ?? '-'],
    ['node of b', b?.node ?? '-'],
    ['FLOPs', formatValue(b?.flops ?? a?.flops ?? null, 'flops')],
  ];
  return { facts, at: [], states: [], series: [] };
}
