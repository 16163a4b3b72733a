import type { EqualMutant } from './equal.ts';
import type { Fate } from './judge.ts';
import type { RoomReport } from './lanes.ts';

interface Survivor {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  readonly fault: string;
  /** Which of the same faults in the line. */
  readonly nth: number;
  /** `untested` where no test of the room loads the file. */
  readonly fate: Fate;
}

/** A room in numbers, and what nobody noticed. */
export interface RoomSummary {
  readonly room: string;
  readonly all: number;
  readonly tried: number;
  readonly noticed: number;
  /** Of those noticed, how many by never ending. */
  readonly hung: number;
  readonly equal: number;
  readonly percent: number;
  readonly survivors: readonly Survivor[];
  readonly stale: readonly EqualMutant[];
}

export function summaryOf({ room, all, judged, equal, stale }: RoomReport): RoomSummary {
  const valid = judged.filter(({ fate }) => fate !== 'invalid');
  const hung = valid.filter(({ fate }) => fate === 'hung').length;
  const lost = valid.filter(({ fate }) => fate === 'survived' || fate === 'untested');
  const noticed = valid.length - lost.length;
  const survivors = lost
    .map(({ mutant: { file, line, text, fault, nth }, fate }) => ({ file, line, text, fault, nth, fate }))
    .sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
  const percent = valid.length ? (100 * noticed) / valid.length : 100;
  return { room, all, tried: valid.length, noticed, hung, equal: equal.length, percent, survivors, stale };
}

/** Survivors by line, then a table of the rooms. */
export function reportLines(rooms: readonly RoomSummary[]): string[] {
  const lines: string[] = [];
  for (const { survivors, stale } of rooms) {
    for (const { file, line, fault, fate, text } of survivors) lines.push(`${file}:${line} ${fault}  ${fate}: ${text}`);
    for (const { file, text, faults } of stale) {
      lines.push(`${file} is listed as equal, and has no such fault any more: ${faults.join(', ')} in ${text}`);
    }
  }
  lines.push('', tableLine(['room', 'faults', 'tried', 'noticed', 'hung', 'equal', 'survived', '%']));
  for (const { room, all, tried, noticed, hung, equal, survivors, percent } of rooms) {
    lines.push(tableLine([room, all, tried, noticed, hung, equal, survivors.length, percent.toFixed(1)]));
  }
  return lines;
}

function tableLine([room, ...cells]: readonly (string | number)[]): string {
  return `${String(room).padEnd(10)}${cells.map((cell) => String(cell).padStart(9)).join('')}`;
}
