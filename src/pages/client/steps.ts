import type { ClientCell, ClientData, ClientSeries, ClientSite, ClientState } from './data.ts';

/** What the page shows now. */
interface View {
  readonly data: ClientData;
  readonly cells: readonly SVGGElement[];
  step: number;
  chosen: SVGGElement | undefined;
}

/** Follows the slider and the chosen cell: cells, figures, plots, the table of sites and the detail panel. */
export function followSteps(data: ClientData): void {
  const cells = [...document.querySelectorAll<SVGGElement>('.cell')];
  const view: View = { data, cells, step: 0, chosen: undefined };
  const slider = document.querySelector<HTMLInputElement>('#step');
  slider?.addEventListener('input', () => showStep(view, Number(slider.value)));
  for (const cell of cells) {
    cell.addEventListener('click', () => cell.focus());
    cell.addEventListener('focus', () => chooseCell(view, cell));
    cell.addEventListener('keydown', (event) => {
      if (!event.key.startsWith('Arrow')) return;
      event.preventDefault();
      nextCell(view, cell, event.key)?.focus();
    });
  }
  if (cells[0]) chooseCell(view, cells[0]);
  if (data.steps.length) showStep(view, 0);
}

function siteOf({ data }: View, element: Element): ClientSite | undefined {
  return data.sites[Number(element.getAttribute('data-site'))];
}

function stateOf({ step }: View, site: ClientSite | undefined): ClientState | undefined {
  return site?.states[site.at[step] ?? -1];
}

function showStep(view: View, step: number): void {
  view.step = step;
  const { title = '', figures = [] } = view.data.steps[step] ?? {};
  const line = document.querySelector('#step-title');
  if (line) line.textContent = title;
  document.querySelector('#step')?.setAttribute('aria-valuetext', title);
  document.querySelectorAll('.figures b').forEach((figure, index) => {
    figure.textContent = figures[index] ?? '';
  });
  for (const cell of view.cells) paintCell(view, cell);
  fillTable(view);
  moveMarks(step);
  showDetail(view);
}

function paintCell(view: View, cell: SVGGElement): void {
  const state = stateOf(view, siteOf(view, cell));
  const text = cell.querySelector('text');
  if (!state || !text) return;
  text.textContent = state.label;
  cell.style.setProperty('--v', String(state.shade));
}

function fillTable(view: View): void {
  const table = document.querySelector<HTMLTableElement>('#sites');
  const keys = [...(table?.querySelectorAll('th') ?? [])].map((head) => head.dataset.key ?? '');
  for (const row of table?.tBodies[0]?.rows ?? []) fillRow(view, row, keys);
}

function fillRow(view: View, row: HTMLTableRowElement, keys: readonly string[]): void {
  const site = siteOf(view, row);
  const state = stateOf(view, site);
  if (!site || !state) return;
  const series = site.series.map((each) => [each.key, cellOf(each, view.step)] as const);
  const columns: ClientState['columns'] = { ...state.columns, ...Object.fromEntries(series) };
  keys.forEach((key, index) => {
    const cell = row.cells[index];
    const column = columns[key];
    if (!cell || !column) return;
    cell.textContent = column[0];
    if (column[1] === null) delete cell.dataset.v;
    else cell.dataset.v = String(column[1]);
  });
}

function cellOf({ values }: ClientSeries, step: number): ClientCell {
  const text = values[step] ?? '';
  return [text, Number(text)];
}

/** The lines in the plots that mark the step. */
function moveMarks(step: number): void {
  for (const mark of document.querySelectorAll<SVGLineElement>('.now')) {
    const [start = 0, width = 0] = (mark.dataset.range ?? '').split(' ').map(Number);
    const x = String(start + width * step);
    mark.setAttribute('x1', x);
    mark.setAttribute('x2', x);
  }
}

/** One cell is in the tab order at a time; the arrow keys move on from it. */
function chooseCell(view: View, cell: SVGGElement): void {
  view.chosen = cell;
  for (const other of view.cells) {
    other.setAttribute('tabindex', other === cell ? '0' : '-1');
    other.classList.toggle('chosen', other === cell);
  }
  const site = cell.getAttribute('data-site');
  for (const row of document.querySelectorAll('#sites tr[data-site]')) {
    row.classList.toggle('chosen', row.getAttribute('data-site') === site);
  }
  showDetail(view);
}

function showDetail(view: View): void {
  const site = view.chosen && siteOf(view, view.chosen);
  if (!site) return;
  const state = stateOf(view, site);
  const series = state ? site.series.map(({ name, values }) => [name, values[view.step] ?? ''] as const) : [];
  const items = [...site.facts, ...series, ...(state?.facts ?? [])].flatMap(([name, value]) => {
    const term = document.createElement('dt');
    const text = document.createElement('dd');
    term.textContent = name;
    text.textContent = value;
    return [term, text];
  });
  document.querySelector('#detail')?.replaceChildren(...items);
}

/** The nearest cell in the direction of an arrow key; what lies aside counts three times. */
function nextCell({ cells }: View, from: SVGGElement, key: string): SVGGElement | undefined {
  const x = Number(key === 'ArrowRight') - Number(key === 'ArrowLeft');
  const y = Number(key === 'ArrowDown') - Number(key === 'ArrowUp');
  const here = from.getBoundingClientRect();
  const distances = cells.map((cell) => {
    const there = cell.getBoundingClientRect();
    const dx = there.x + there.width / 2 - here.x - here.width / 2;
    const dy = there.y + there.height / 2 - here.y - here.height / 2;
    const along = dx * x + dy * y;
    return along > 1 ? along + 3 * Math.abs(dx * y) + 3 * Math.abs(dy * x) : Number.POSITIVE_INFINITY;
  });
  const least = Math.min(...distances);
  return Number.isFinite(least) ? cells[distances.indexOf(least)] : undefined;
}
