import type { ClientData } from './client-data.ts';
import { SORT_FUNCTIONS } from './client-sort.ts';
import { STEP_FUNCTIONS } from './client-steps.ts';
import { escapeHtml, scriptJson } from './markup.ts';
import { STYLE } from './style.ts';

/** What a page is made of. */
export interface Page {
  readonly title: string;
  /** A line under the title. */
  readonly summary: string;
  readonly notes: readonly string[];
  /** HTML. */
  readonly body: readonly string[];
  readonly data: ClientData;
}

/** The page loads nothing and sends nothing: the reader's browser is told to refuse both. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/**
 * The script of a page: the source texts of functions, and a call of the first of each list.
 *
 * Tools that run TypeScript without compiling it wrap inner functions in calls of `__name`, which does nothing here.
 */
function scriptText(): string {
  const functions = [...SORT_FUNCTIONS, ...STEP_FUNCTIONS].map(String);
  const start = `${SORT_FUNCTIONS[0].name}();\n${STEP_FUNCTIONS[0].name}(JSON.parse(document.getElementById('data').textContent));`;
  return ['const __name = (value) => value;', ...functions, start].join('\n');
}

/** One self-contained HTML file. */
export function htmlPage({ title, summary, notes, body, data }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header><h1>${escapeHtml(title)}</h1><p class="quiet">${escapeHtml(summary)}</p>
${notes.map((note) => `<p class="warn">${escapeHtml(note)}</p>`).join('\n')}</header>
<main>
${body.join('\n')}
</main>
<script type="application/json" id="data">${scriptJson(data)}</script>
<script>${scriptText()}</script>
</body>
</html>
`;
}
