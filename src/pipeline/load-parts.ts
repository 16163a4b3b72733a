import type { BackendName, Platform } from '../runtime/index.ts';
import { loadModelOn } from '../runtime/index.ts';
import type { LoadPart } from './text-source.ts';

/** The parts of a run that take time, in their order. */
export const PHASES = [
  'load text',
  'text',
  'load encoder',
  'encode',
  'load unet',
  'denoise',
  'load decoder',
  'decode',
] as const;
export type PhaseName = (typeof PHASES)[number];

/** How long a part of a run took. */
export interface Phase {
  readonly name: PhaseName;
  readonly milliseconds: number;
}

/** Times the parts of a run; what is done several times is added up. */
export class PhaseClock {
  private readonly spent = new Map<PhaseName, number>();

  /** Does a part of the run, and counts its time less that of the parts within. */
  async time<T>(name: PhaseName, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const before = this.total();
    try {
      return await work();
    } finally {
      const within = this.total() - before;
      this.spent.set(name, (this.spent.get(name) ?? 0) + performance.now() - began - within);
    }
  }

  get phases(): Phase[] {
    return PHASES.filter((name) => this.spent.has(name)).map((name) => {
      return { name, milliseconds: Math.round(this.spent.get(name) ?? 0) };
    });
  }

  private total(): number {
    return [...this.spent.values()].reduce((sum, each) => sum + each, 0);
  }
}

/** How the parts of a pipeline are loaded. */
export interface PartOptions {
  /** Use this one or fail; by default the first that works. */
  readonly backend?: BackendName | undefined;
  /** Told once which backend computes, in one line. */
  readonly log?: ((line: string) => void) | undefined;
  /** Told how far the weights of the part are, in bytes. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Loads parts of a pipeline, each timed as `phase`. */
export function partLoader(platform: Platform, clock: PhaseClock, options: PartOptions) {
  return (phase: PhaseName): LoadPart =>
    (store) =>
      clock.time(phase, () => loadModelOn(platform, store, options));
}

/** The first call of several. */
export function onceOnly<T>(tell: ((value: T) => void) | undefined): (value: T) => void {
  let told = false;
  return (value) => {
    if (!told) tell?.(value);
    told = true;
  };
}
