import type { ClientData } from '../client/data.ts';
import { CLIENT_SCRIPT } from '../client.generated.ts';
import { type Cell, formatCell, type Table, type TableColumn } from '../table.ts';
import { Html, type HtmlPart, html, lines, scriptJson } from './html.ts';
import { STYLE } from './style.ts';

/** What a page is made of. */
export interface Page {
  readonly title: string;
  /** A line under the title. */
  readonly summary: string;
  readonly notes: readonly string[];
  readonly body: readonly HtmlPart[];
  /** More rules for this page alone. */
  readonly style?: string | undefined;
  /** What the page's script is given; without it the page has none. */
  readonly data?: ClientData | undefined;
}

/** The page loads nothing and sends nothing: the reader's browser is told to refuse both. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
const SCRIPT_POLICY = `${POLICY}; script-src 'unsafe-inline'`;

/** One self-contained HTML file. */
export function htmlPage({ title, summary, notes, body, style = '', data }: Page): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${data ? SCRIPT_POLICY : POLICY}">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${new Html(STYLE + style)}</style>
</head>
<body>
<header><h1>${title}</h1><p class="quiet">${summary}</p>
${lines(notes.map((note) => html`<p class="warn">${note}</p>`))}</header>
<main>
${lines(body)}
</main>${data ? scripts(data) : ''}
</body>
</html>
`;
  return page.markup;
}

function scripts(data: ClientData): Html {
  return html`
<script type="application/json" id="data">${scriptJson(data)}</script>
<script>${new Html(CLIENT_SCRIPT)}</script>`;
}

/** What the cells of a table are marked with, so that the script can find them. */
export interface TableMarks {
  /** An id for the table. */
  readonly id?: string;
  /** A number for each row: the site that it is about. */
  readonly siteOfRow?: (row: number) => number | undefined;
}

/** A section with one table, whose headings sort it; columns without a title are a list of names and values. */
export function tableSection({ title, columns, rows }: Table, { id, siteOfRow }: TableMarks = {}): Html {
  if (!rows.length) return html`<section><h2>${title}</h2><p class="quiet">None.</p></section>`;
  const isTitled = columns.some((column) => column.title);
  const heads = isTitled ? html`<thead><tr>${columns.map(headCell)}</tr></thead>` : '';
  const body = rows.map((row, index) => {
    const site = siteOfRow?.(index);
    const mark = site === undefined ? '' : html` data-site="${site}"`;
    return html`<tr${mark}>${columns.map((column, at) => bodyCell(row[at] ?? null, column))}</tr>`;
  });
  const marks = html`${id ? html` id="${id}"` : ''}${isTitled ? html` class="sortable"` : ''}`;
  const table = html`<table${marks}>${heads}<tbody>${lines(body)}</tbody></table>`;
  return html`<section><h2>${title}</h2><div class="scroll">${table}</div></section>`;
}

function headCell({ title, unit, key }: TableColumn): Html {
  const number = unit ? html` class="number"` : '';
  return html`<th scope="col"${number} data-key="${key}"><button type="button">${title}</button></th>`;
}

/** Numbers carry their value, so that 9 GFLOP sorts behind 10 MFLOP. */
function bodyCell(value: Cell, column: TableColumn): Html {
  const text = formatCell(value, column);
  if (!column.unit) return html`<td class="name">${text}</td>`;
  return html`<td class="number"${typeof value === 'number' ? html` data-v="${value}"` : ''}>${text}</td>`;
}
