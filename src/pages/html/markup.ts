/** Text as HTML or SVG: names of nodes are other people's text. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** JSON that can stand in a script element. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
}

/** A number of at most two decimals, for coordinates. */
export function coordinate(value: number): string {
  return String(Math.round(value * 100) / 100);
}
