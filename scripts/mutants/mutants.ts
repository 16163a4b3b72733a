import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './copy.ts';
import { type Fault, faultsOf } from './faults.ts';
import type { MutantRoom } from './rooms.ts';
import { sourcesOf } from './rooms.ts';
import { eachSource } from './sources.ts';

/** A file with one fault. */
export interface Mutant {
  readonly file: string;
  readonly line: number;
  /** The line as it is, without what it is indented by. */
  readonly text: string;
  /** `before -> after`. */
  readonly fault: string;
  /** Which of the same faults in the same text of a file it is, from 1. */
  readonly nth: number;
  readonly place: Fault;
}

/** The mutants of the files of a room, in their order. */
export function mutantsOf(room: MutantRoom, isWanted: (file: string) => boolean): Mutant[] {
  const mutants: Mutant[] = [];
  const files = sourcesOf(room).filter(isWanted);
  eachSource(
    files.map((file) => join(ROOT, file)),
    (path, source) => {
      const file = files.find((each) => join(ROOT, each) === path) ?? path;
      const lines = source.text.split('\n');
      const seen = new Map<string, number>();
      for (const place of faultsOf(source)) {
        const { line } = source.getLineAndCharacterOfPosition(place.start);
        const text = lines[line]?.trim() ?? '';
        const fault = `${oneLine(place.before)} -> ${oneLine(place.after)}`;
        const nth = (seen.get(`${text}\n${fault}`) ?? 0) + 1;
        seen.set(`${text}\n${fault}`, nth);
        mutants.push({ file, line: line + 1, text, fault, nth, place });
      }
    },
  );
  return mutants;
}

const oneLine = (text: string) => text.trim().replace(/\s+/g, ' ');

/** The text of a file with its fault. */
export function mutatedText({ file, place }: Mutant): string {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return `${text.slice(0, place.start)}${place.after}${text.slice(place.end)}`;
}

/** A mutant by what an edit elsewhere in its file does not change. */
export function keyOf({ file, text, fault, nth }: Pick<Mutant, 'file' | 'text' | 'fault' | 'nth'>): string {
  return `${file}\n${text}\n${fault}\n${nth}`;
}

/** So many of them in an order that the seed decides; what is edited elsewhere changes the choice of no other file. */
export function sample(mutants: readonly Mutant[], size: number, seed: number): Mutant[] {
  const rank = (mutant: Mutant) =>
    createHash('sha256')
      .update(`${seed}\n${keyOf(mutant)}`)
      .digest('hex');
  const ranked = mutants.map((mutant) => ({ mutant, rank: rank(mutant) }));
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  return ranked.slice(0, size).map(({ mutant }) => mutant);
}
