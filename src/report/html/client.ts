/*
 * What runs in the reader's browser. Each function is put into the page as its own source text, so none may use
 * anything from outside itself but its arguments and the browser.
 */

/** What the script of a page with steps knows of one site. */
export interface ClientSite {
  /** Lines of the detail panel that hold at every step. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Which of `states` the site is in, by step; none where steps do not matter to it. */
  readonly at: readonly number[];
  readonly asked: readonly string[];
  readonly states: readonly ClientState[];
}

/** One of the few states that a site is in over a run. */
export interface ClientState {
  /** Text in the cell. */
  readonly label: string;
  /** 0 to 1, for the colour. */
  readonly shade: number;
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Columns of the table of sites that change: text, and the number to sort by. */
  readonly columns: Readonly<Record<string, readonly [text: string, value: number | null]>>;
}

/** One step: its line above the map, and the figures beside it. */
export interface ClientStep {
  readonly title: string;
  readonly figures: readonly string[];
}

export interface ClientData {
  readonly sites: readonly ClientSite[];
  readonly steps: readonly ClientStep[];
}

/** Makes the headings of tables sort them: numbers by their value, texts by the reader's language. */
export function sortTables(): void {
  const valueOf = (row: HTMLTableRowElement, index: number) => {
    const cell = row.cells[index];
    const number = cell?.dataset.v;
    return { number: number === undefined ? Number.NaN : Number(number), text: cell?.textContent ?? '' };
  };
  const sort = (table: HTMLTableElement, index: number, up: boolean) => {
    const body = table.tBodies[0];
    const rows = [...(body?.rows ?? [])].map((row) => ({ row, key: valueOf(row, index) }));
    rows.sort((a, b) => {
      const x = a.key;
      const y = b.key;
      const byNumber = Number.isNaN(x.number) && Number.isNaN(y.number) ? 0 : (x.number || 0) - (y.number || 0);
      const order = byNumber || x.text.localeCompare(y.text, undefined, { numeric: true });
      return up ? order : -order;
    });
    for (const { row } of rows) body?.append(row);
  };
  for (const table of document.querySelectorAll<HTMLTableElement>('table.sortable')) {
    const heads = [...table.querySelectorAll('th')];
    heads.forEach((head, index) => {
      head.querySelector('button')?.addEventListener('click', () => {
        const up = head.getAttribute('aria-sort') !== 'ascending';
        for (const other of heads) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        sort(table, index, up);
      });
    });
  }
}

/** Follows the slider and the chosen cell: cells, figures, plots, the table of sites and the detail panel. */
export function followSteps({ sites, steps }: ClientData): void {
  const slider = document.querySelector<HTMLInputElement>('#step');
  const cells = [...document.querySelectorAll<SVGGElement>('.cell')];
  let step = 0;
  let chosen: SVGGElement | undefined;

  const siteOf = (cell: Element) => sites[Number(cell.getAttribute('data-site'))];
  const showList = (list: Element | null, facts: readonly (readonly [string, string])[]) => {
    const items = facts.flatMap(([name, value]) => {
      const term = document.createElement('dt');
      const text = document.createElement('dd');
      term.textContent = name;
      text.textContent = value;
      return [term, text];
    });
    list?.replaceChildren(...items);
  };
  const showDetail = () => {
    const site = chosen && siteOf(chosen);
    if (!site) return;
    const state = site.states[site.at[step] ?? -1];
    const asked: (readonly [string, string])[] = state ? [['stride asked', site.asked[step] ?? '']] : [];
    showList(document.querySelector('#detail'), [...site.facts, ...asked, ...(state?.facts ?? [])]);
  };
  const paint = (cell: SVGGElement) => {
    const site = siteOf(cell);
    const state = site?.states[site.at[step] ?? -1];
    const text = cell.querySelector('text');
    if (!state || !text) return;
    text.textContent = state.label;
    cell.style.setProperty('--v', String(state.shade));
  };
  const fillRow = (row: HTMLTableRowElement, keys: readonly string[]) => {
    const site = siteOf(row);
    const state = site?.states[site.at[step] ?? -1];
    if (!site || !state) return;
    keys.forEach((key, index) => {
      const cell = row.cells[index];
      const column =
        key === 'asked' ? ([site.asked[step] ?? '', Number(site.asked[step])] as const) : state.columns[key];
      if (!cell || !column) return;
      cell.textContent = column[0];
      if (column[1] === null) delete cell.dataset.v;
      else cell.dataset.v = String(column[1]);
    });
  };
  const show = (index: number) => {
    step = index;
    const { title = '', figures = [] } = steps[index] ?? {};
    const line = document.querySelector('#step-title');
    if (line) line.textContent = title;
    slider?.setAttribute('aria-valuetext', title);
    document.querySelectorAll('.figures b').forEach((figure, at) => {
      figure.textContent = figures[at] ?? '';
    });
    for (const cell of cells) paint(cell);
    for (const table of document.querySelectorAll<HTMLTableElement>('#sites')) {
      const keys = [...table.querySelectorAll('th')].map((head) => head.dataset.key ?? '');
      for (const row of table.tBodies[0]?.rows ?? []) fillRow(row, keys);
    }
    for (const mark of document.querySelectorAll<SVGLineElement>('.now')) {
      const [start = 0, width = 0] = (mark.dataset.range ?? '').split(' ').map(Number);
      const x = String(start + width * index);
      mark.setAttribute('x1', x);
      mark.setAttribute('x2', x);
    }
    showDetail();
  };
  const choose = (cell: SVGGElement, focus: boolean) => {
    for (const other of cells) {
      other.setAttribute('tabindex', other === cell ? '0' : '-1');
      other.classList.toggle('chosen', other === cell);
    }
    chosen = cell;
    const site = cell.getAttribute('data-site');
    for (const row of document.querySelectorAll('#sites tr[data-site]')) {
      row.classList.toggle('chosen', row.getAttribute('data-site') === site);
    }
    if (focus) cell.focus();
    showDetail();
  };
  /** The nearest cell in the direction of an arrow key. */
  const neighbour = (from: SVGGElement, key: string) => {
    const directions: Record<string, readonly [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const [dx, dy] = directions[key] ?? [0, 0];
    const here = from.getBoundingClientRect();
    let best: SVGGElement | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const cell of cells) {
      const there = cell.getBoundingClientRect();
      const x = there.x + there.width / 2 - here.x - here.width / 2;
      const y = there.y + there.height / 2 - here.y - here.height / 2;
      const along = x * dx + y * dy;
      const distance = along + 3 * Math.abs(x * dy) + 3 * Math.abs(y * dx);
      if (along > 1 && distance < least) {
        best = cell;
        least = distance;
      }
    }
    return best;
  };

  for (const cell of cells) {
    cell.addEventListener('click', () => choose(cell, true));
    cell.addEventListener('focus', () => choose(cell, false));
    cell.addEventListener('keydown', (event) => {
      const next = neighbour(cell, event.key);
      if (event.key.startsWith('Arrow')) event.preventDefault();
      if (next) choose(next, true);
    });
  }
  slider?.addEventListener('input', () => show(Number(slider.value)));
  if (steps.length) show(0);
  const [first] = cells;
  if (first) choose(first, false);
}
