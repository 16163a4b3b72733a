/*
 * What runs in the reader's browser: each function goes into the page as its own source text. They may use each other
 * and the browser, and nothing else.
 */

/** Makes the headings of tables sort them. */
function sortTables(): void {
  for (const table of document.querySelectorAll<HTMLTableElement>('table.sortable')) {
    const heads = [...table.querySelectorAll('th')];
    heads.forEach((head, index) => {
      head.querySelector('button')?.addEventListener('click', () => {
        const isUp = head.getAttribute('aria-sort') !== 'ascending';
        for (const other of heads) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', isUp ? 'ascending' : 'descending');
        sortTable(table, index, isUp);
      });
    });
  }
}

function sortTable(table: HTMLTableElement, index: number, isUp: boolean): void {
  const body = table.tBodies[0];
  const rows = [...(body?.rows ?? [])];
  rows.sort((a, b) => (isUp ? 1 : -1) * compareCells(a.cells[index], b.cells[index]));
  for (const row of rows) body?.append(row);
}

/** Numbers by their value, texts by the reader's language. */
function compareCells(a: HTMLElement | undefined, b: HTMLElement | undefined): number {
  const x = a?.dataset.v;
  const y = b?.dataset.v;
  const order = x === undefined || y === undefined ? 0 : Number(x) - Number(y);
  return order || (a?.textContent ?? '').localeCompare(b?.textContent ?? '', undefined, { numeric: true });
}

/** The functions above, the one to call first. */
export const SORT_FUNCTIONS = [sortTables, sortTable, compareCells] as const;
