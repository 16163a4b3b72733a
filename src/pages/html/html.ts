/** Markup: text that stands in a page as it is. Made by `html`, which escapes all that is put into it. */
export class Html {
  constructor(readonly markup: string) {}

  toString(): string {
    return this.markup;
  }
}

/** What can be put into a template: markup as it is, texts and numbers escaped, nothing for what is not there. */
export type HtmlPart = Html | string | number | false | null | undefined | readonly HtmlPart[];

/**
 * A template of HTML or SVG. Every value is escaped, in text and in quoted attributes alike, unless it is markup itself:
 * names of nodes and prompts are other people's text. Lists are put in one after the other.
 *
 * @example html`<p class="${name}">${text}</p>`
 */
export function html(strings: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  let markup = strings[0] ?? '';
  parts.forEach((part, index) => {
    markup += markupOf(part) + (strings[index + 1] ?? '');
  });
  return new Html(markup);
}

function markupOf(part: HtmlPart): string {
  if (part instanceof Html) return part.markup;
  if (typeof part === 'string' || typeof part === 'number') return escapeText(String(part));
  return part ? part.map(markupOf).join('') : '';
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => ENTITIES[letter] ?? letter);
}

/** Parts of a page, a line each. */
export function lines(parts: readonly HtmlPart[]): Html {
  return new Html(parts.map(markupOf).join('\n'));
}

/** JSON that can stand in a script element, which knows no entities. */
export function scriptJson(value: unknown): Html {
  const json = JSON.stringify(value)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
  return new Html(json);
}

/** A number of at most two decimals, for coordinates. */
export function coordinate(value: number): string {
  return String(Math.round(value * 100) / 100);
}
