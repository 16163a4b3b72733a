/** A process that tries targets, or replays a case; watch.ts starts it, hears of every try, and ends it where one hangs. */
import { writeSync } from 'node:fs';
import { readCase } from './case.ts';
import { judge } from './judge.ts';
import { filesOf } from './plan.ts';
import type { Target } from './target.ts';
import { readyTarget } from './tries.ts';
import { tryTargets } from './try-targets.ts';

/** What a lane is asked to do, by its first argument as JSON. */
export interface LaneOrder {
  /** The module whose `TARGETS` are meant. */
  readonly module: string;
  readonly targets: readonly string[];
  readonly seed: number;
  readonly starts: Readonly<Record<string, number>>;
  readonly tries?: number | undefined;
  readonly until: number;
  readonly save: string;
  /** How long a try may be silent; `LIMITS.hangMs` where nothing is said. */
  readonly hangMs?: number | undefined;
  readonly replay?: string | undefined;
  /** An empty folder to work in. */
  readonly root: string;
}

/** Written at once, so that it is known when the process is killed in the next moment. */
const tell = (message: object) => writeSync(3, `${JSON.stringify(message)}\n`);

async function main(order: LaneOrder): Promise<void> {
  const { TARGETS }: { TARGETS: readonly Target[] } = await import(order.module);
  const targets = TARGETS.filter(({ name }) => order.targets.includes(name));
  const all = [];
  for (const target of targets) {
    tell({ begun: { target: target.name, seed: order.seed, index: -1 } });
    const ready = await readyTarget(target);
    // What is loaded once is no try's fault.
    await judge(target, filesOf(ready.bases[0] ?? {}), order.root);
    all.push(ready);
  }
  if (order.replay !== undefined) return replay(order.replay, targets, order.root);
  await tryTargets(all, order, {
    begun: (id) => tell({ begun: id }),
    ended: (id, verdict, file) => tell({ ended: id, verdict, file }),
  });
  tell({ done: true });
}

async function replay(path: string, targets: readonly Target[], root: string): Promise<void> {
  const { target: name, files } = await readCase(path);
  const target = targets.find((each) => each.name === name);
  const id = { target: name, seed: 0, index: 0 };
  tell({ begun: id });
  tell({ ended: id, verdict: target ? await judge(target, files, root) : 'refused' });
  tell({ done: true });
}

const order: LaneOrder = JSON.parse(process.argv[2] ?? '{}');
await main(order);
