import { Copy } from './copy.ts';
import { type EqualMutant, EqualMutants } from './equal.ts';
import { Judge, type Judged } from './judge.ts';
import { type Mutant, mutantsOf, sample } from './mutants.ts';
import { type MutantRoom, testsOf } from './rooms.ts';

export interface MutantOptions {
  readonly isWanted: (file: string) => boolean;
  /** How many of each room; all where nothing is said. */
  readonly sample?: number | undefined;
  readonly seed: number;
  readonly lanes: number;
}

/** What became of the mutants of a room. */
export interface RoomReport {
  readonly room: string;
  /** How many there are, tried or not. */
  readonly all: number;
  readonly judged: readonly Judged[];
  /** Those of the sample that change nothing: they were not tried. */
  readonly equal: readonly Mutant[];
  readonly stale: readonly EqualMutant[];
}

/** Tries the mutants of rooms. Progress goes to stderr. */
export async function judgeAll(rooms: readonly MutantRoom[], options: MutantOptions): Promise<RoomReport[]> {
  const copies: Copy[] = [];
  const remove = () => copies.forEach((copy) => void copy.remove());
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => process.exit(code));
  }
  process.once('exit', remove);
  try {
    for (let lane = 0; lane < options.lanes; lane++) copies.push(await Copy.make());
    const reports: RoomReport[] = [];
    for (const room of rooms) {
      const mutants = mutantsOf(room, options.isWanted);
      if (mutants.length) reports.push(await judgeRoom(room, mutants, copies, options));
    }
    return reports;
  } finally {
    remove();
  }
}

async function judgeRoom(
  room: MutantRoom,
  mutants: readonly Mutant[],
  copies: readonly Copy[],
  options: MutantOptions,
): Promise<RoomReport> {
  const known = new EqualMutants();
  const chosen = sample(mutants, options.sample ?? mutants.length, options.seed);
  const waiting = chosen.filter((mutant) => !known.isEqual(mutant));
  const total = waiting.length;
  const judged: Judged[] = [];
  const work = async (copy: Copy) => {
    const judge = new Judge(copy, testsOf(room));
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const result = await judge.judge(mutant);
      judged.push(result);
      process.stderr.write(`${room.name} ${judged.length}/${total} ${lineOf(result)}\n`);
    }
    judge.end();
  };
  await Promise.all(copies.map(work));
  return {
    room: room.name,
    all: mutants.length,
    judged,
    equal: chosen.filter((mutant) => known.isEqual(mutant)),
    stale: known.stale(mutants),
  };
}

function lineOf({ mutant: { file, line, fault }, fate, by }: Judged): string {
  return `${fate} ${file}:${line} ${fault}${by === undefined ? '' : ` (${by})`}`;
}
