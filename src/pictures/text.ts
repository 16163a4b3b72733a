import type { Picture } from '../sampling/index.ts';
import { GLYPH_HEIGHT, GLYPH_WIDTH, glyphColumns } from './font.ts';

/** Room from one letter to the next, and from one line to the next, in pixels of the font. */
const ADVANCE = GLYPH_WIDTH + 1;
const LINE = GLYPH_HEIGHT + 2;
const INK = [34, 34, 40, 255] as const;

/** Width of a line of text in pixels. */
export function textWidth(line: string, scale: number): number {
  return line.length ? (line.length * ADVANCE - 1) * scale : 0;
}

/** Height of lines of text in pixels. */
export function textHeight(lines: readonly string[], scale: number): number {
  return lines.length ? (lines.length * LINE - 2) * scale : 0;
}

/**
 * A text in lines that are not wider than `width`: broken at spaces, after an underscore, comma or equals sign where
 * there is none, and anywhere else where nothing helps.
 *
 * @param width in pixels
 */
export function wrapText(text: string, width: number, scale: number): string[] {
  const most = Math.max(1, Math.floor((width / scale + 1) / ADVANCE));
  const lines: string[] = [];
  let rest = text.trim();
  while (rest.length > most) {
    const cut = breakAt(rest, most);
    lines.push(rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut).trimStart();
  }
  return rest ? [...lines, rest] : lines;
}

/** How many letters the first line takes. */
function breakAt(text: string, most: number): number {
  const space = text.slice(0, most + 1).lastIndexOf(' ');
  if (space > 0) return space;
  const mark = Math.max(...['_', ',', '='].map((each) => text.slice(0, most).lastIndexOf(each)));
  return mark > 0 ? mark + 1 : most;
}

/** Draws lines of text, each centred within `width` where one is given, with the left upper corner at `left`, `top`. */
export function drawText(
  target: Picture,
  lines: readonly string[],
  place: { left: number; top: number; scale: number; width?: number },
): void {
  const { left, top, scale, width } = place;
  lines.forEach((line, row) => {
    const indent = width === undefined ? 0 : Math.max(0, Math.floor((width - textWidth(line, scale)) / 2));
    drawLine(target, line, left + indent, top + row * LINE * scale, scale);
  });
}

function drawLine(target: Picture, line: string, left: number, top: number, scale: number): void {
  [...line].forEach((letter, index) => {
    glyphColumns(letter).forEach((bits, column) => {
      for (let row = 0; row < GLYPH_HEIGHT; row++) {
        if ((bits >> row) & 1) dot(target, left + (index * ADVANCE + column) * scale, top + row * scale, scale);
      }
    });
  });
}

/** One pixel of the font; what lies outside of the picture is left out. */
function dot({ width, height, rgba }: Picture, left: number, top: number, size: number): void {
  for (let y = Math.max(0, top); y < Math.min(height, top + size); y++) {
    for (let x = Math.max(0, left); x < Math.min(width, left + size); x++) rgba.set(INK, (y * width + x) * 4);
  }
}
