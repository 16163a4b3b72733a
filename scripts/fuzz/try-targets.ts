import { type FoundCase, saveCase } from './case.ts';
import { judge } from './judge.ts';
import type { Plan } from './plan.ts';
import type { Ready } from './target.ts';
import { BATCH, filesOfPlan, plansOfBatch, shortened, type TryId } from './tries.ts';
import { causeOf, type Fault, type Verdict } from './verdict.ts';

/** How targets are tried. */
export interface TryOptions {
  readonly seed: number;
  /** The first try of each target that is still to be made. */
  readonly starts: Readonly<Record<string, number>>;
  /** Tries of each target; without end where nothing is said. */
  readonly tries?: number | undefined;
  /** When to stop, in milliseconds since 1970. */
  readonly until: number;
  /** An empty folder to work in. */
  readonly root: string;
  /** Where inputs that break a rule are kept. */
  readonly save: string;
}

/** Told of what is done. */
export interface TryListener {
  begun(id: TryId): void;
  ended(id: TryId, verdict: Verdict, file: string | undefined): void;
}

/** A target's share at a time: slow ones and quick ones get the same. */
const SLICE_MS = 300;

/** Tries targets in turns until there is no more time, or no more to try. */
export async function tryTargets(all: readonly Ready[], options: TryOptions, listener: TryListener): Promise<void> {
  const turns = all.map((ready) => new Turn(ready, options, listener));
  for (let isBusy = true; isBusy; ) {
    isBusy = false;
    for (const turn of turns) isBusy = (await turn.take()) || isBusy;
  }
}

/** One target, and how far it is. */
class Turn {
  #next: number;
  #plans: { readonly batch: number; readonly plans: readonly Plan[] } | undefined;

  constructor(
    private readonly ready: Ready,
    private readonly options: TryOptions,
    private readonly listener: TryListener,
  ) {
    this.#next = options.starts[ready.target.name] ?? 0;
  }

  /** @returns whether there is more to be done */
  async take(): Promise<boolean> {
    const { until, tries = Number.POSITIVE_INFINITY } = this.options;
    const end = Math.min(until, Date.now() + SLICE_MS);
    do {
      if (this.#next >= tries || Date.now() >= until) return false;
      await this.#try(this.#next++);
    } while (Date.now() < end);
    return true;
  }

  async #try(index: number): Promise<void> {
    const { seed, root, save } = this.options;
    const id = { target: this.ready.target.name, seed, index };
    const plan = this.#plan(index);
    this.listener.begun(id);
    const verdict = await judge(this.ready.target, filesOfPlan(this.ready, plan), root);
    const isFault = typeof verdict === 'object';
    const file = isFault ? await saveCase(save, await this.#smallest(id, plan, verdict)) : undefined;
    this.listener.ended(id, verdict, file);
  }

  #plan(index: number): Plan {
    const batch = Math.floor(index / BATCH);
    if (this.#plans?.batch !== batch) {
      this.#plans = { batch, plans: plansOfBatch(this.ready, this.options.seed, batch) };
    }
    return this.#plans.plans[index % BATCH] ?? { base: 0, changes: [] };
  }

  /** The same fault by fewer changes. What was slow is not tried again. */
  async #smallest(id: TryId, plan: Plan, fault: Fault): Promise<FoundCase> {
    const again = async (each: Plan) => {
      const verdict = await judge(this.ready.target, filesOfPlan(this.ready, each), this.options.root);
      return typeof verdict === 'object' && causeOf(id.target, verdict) === causeOf(id.target, fault);
    };
    const isQuick = fault.kind !== 'slow' && fault.kind !== 'memory';
    const least = isQuick ? await shortened(plan, again) : plan;
    return { id, fault, changes: least.changes, files: filesOfPlan(this.ready, least) };
  }
}
