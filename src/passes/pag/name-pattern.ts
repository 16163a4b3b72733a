import { SlothfulError } from '../../errors.ts';

/** One sign of a pattern, and how often it may come. */
interface Sign {
  matches(character: string): boolean;
  readonly atLeast: 0 | 1;
  readonly repeats: boolean;
}

/** One alternative. */
interface Branch {
  readonly signs: readonly Sign[];
  readonly fromStart: boolean;
  readonly toEnd: boolean;
}

/**
 * Reads what diffusers takes for the names of layers, an unanchored regular expression, as far as names need it: letters, "."
 * for any character, `\.` and `\d`, "*", "+" and "?" after a sign, "|" between alternatives, "^" and "$" at the ends.
 *
 * It is matched in time linear in the name: a pattern may come with a model from anywhere.
 *
 * @param place for messages
 * @returns whether a part of a name is like the pattern
 * @throws SlothfulError `bad-parameter` for groups, classes and what else it does not have
 */
export function namePattern(pattern: string, place: string): (name: string) => boolean {
  const branches = pattern.split('|').map((each) => branchOf(each, place));
  return (name) => branches.some((branch) => isLike(name, branch));
}

function branchOf(pattern: string, place: string): Branch {
  const fromStart = pattern.startsWith('^');
  const toEnd = pattern.endsWith('$');
  const inner = pattern.slice(fromStart ? 1 : 0, toEnd ? -1 : undefined);
  const parts = inner.match(/(?:\\.|[^\\])[*+?]?/gs) ?? [];
  if (!inner || parts.join('') !== inner) throw wrong(pattern, place);
  return { fromStart, toEnd, signs: parts.map((part) => signOf(part, pattern, place)) };
}

function signOf(part: string, pattern: string, place: string): Sign {
  const isQuantified = part.length > (part.startsWith('\\') ? 2 : 1);
  const quantifier = isQuantified ? part.at(-1) : '';
  const body = isQuantified ? part.slice(0, -1) : part;
  if (/^[()[\]{}*+?^$]$/.test(body) || /^\\[A-Za-ce-z0-9]$/.test(body)) throw wrong(pattern, place);
  const literal = body.replace('\\', '');
  const matches =
    body === '.'
      ? () => true
      : body === '\\d'
        ? (character: string) => character >= '0' && character <= '9'
        : (character: string) => character === literal;
  return {
    matches,
    atLeast: quantifier === '*' || quantifier === '?' ? 0 : 1,
    repeats: '*+'.includes(quantifier || ' '),
  };
}

function wrong(pattern: string, place: string): SlothfulError {
  const problem = `"${pattern}" cannot be read`;
  const cure = 'write a part of the name, as mid or down_blocks.2; several with | between them';
  return new SlothfulError('bad-parameter', place, problem, cure);
}

/** Follows all places of the branch at once where the name may be. */
function isLike(name: string, { signs, fromStart, toEnd }: Branch): boolean {
  let places = reach(signs, [0]);
  for (const character of name) {
    if (!toEnd && places.has(signs.length)) return true;
    const next: number[] = fromStart ? [] : [0];
    for (const place of places) {
      const sign = signs[place];
      if (sign?.matches(character)) next.push(...(sign.repeats ? [place, place + 1] : [place + 1]));
    }
    places = reach(signs, next);
  }
  return places.has(signs.length);
}

/** The places with those behind them that need no character; a sign that was met once may be left. */
function reach(signs: readonly Sign[], from: readonly number[]): Set<number> {
  const places = new Set<number>();
  for (let place of from) {
    places.add(place);
    while (signs[place]?.atLeast === 0) places.add(++place);
  }
  return places;
}
