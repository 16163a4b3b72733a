import fc from 'fast-check';
import { HOSTILE_DIGITS, HOSTILE_TEXTS, repetitions } from '../hostile.ts';
import { withDigits } from './json.ts';

/** What is done to a text. */
export type TextChange = { readonly at: number } & (
  | { readonly does: 'insert'; readonly text: string }
  | { readonly does: 'replace'; readonly text: string }
  | { readonly does: 'drop' }
  | { readonly does: 'repeat'; readonly times: number }
  | { readonly does: 'digits'; readonly digits: string }
);

const at = fc.nat();
const of = <T extends TextChange['does']>(does: T) => fc.constant(does);

export const TEXT_CHANGE: fc.Arbitrary<TextChange> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: of('insert'), at, text: fc.constantFrom(...HOSTILE_TEXTS) }) },
  { weight: 2, arbitrary: fc.record({ does: of('replace'), at, text: fc.constantFrom(...HOSTILE_TEXTS) }) },
  { weight: 1, arbitrary: fc.record({ does: of('drop'), at }) },
  { weight: 1, arbitrary: fc.record({ does: of('repeat'), at, times: fc.constantFrom(2, 50, 2000) }) },
  { weight: 2, arbitrary: fc.record({ does: of('digits'), at, digits: fc.constantFrom(...HOSTILE_DIGITS, '1e999') }) },
);

/** What a text is made of: words, what is between them, and ends of lines. */
const PIECE = /[\p{L}\p{N}_.]+|\n|[^\p{L}\p{N}_.\n]+/gu;

/** The text with a change at a letter, or at one of its pieces. */
export function changeText(text: string, change: TextChange): string {
  if (change.does === 'insert') {
    const index = change.at % (text.length + 1);
    return text.slice(0, index) + change.text + text.slice(index);
  }
  const pieces = text.match(PIECE) ?? [''];
  const index = change.at % pieces.length;
  return pieces.with(index, changedPiece(pieces[index] ?? '', change)).join('');
}

function changedPiece(piece: string, change: TextChange): string {
  if (change.does === 'repeat') return piece.repeat(repetitions(change.times, piece.length));
  if (change.does === 'digits') return withDigits(piece, change.digits);
  return change.does === 'replace' ? change.text : '';
}
