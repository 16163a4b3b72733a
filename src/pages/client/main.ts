import { followSteps } from './steps.ts';

/*
 * What runs in the reader's browser, bundled into every page that has data (`npm run pages` writes
 * client.generated.ts). It makes no text of its own.
 */
sortTables();
followSteps(JSON.parse(document.getElementById('data')?.textContent ?? '{"sites":[],"steps":[]}'));

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
