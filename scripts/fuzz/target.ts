import type { Base, Files } from './plan.ts';

/** Something that reads what comes from outside. */
export interface Target {
  readonly name: string;
  /** What it reads, in a few words, for the help. */
  readonly describe: string;
  /** Inputs that it takes as they are; each try starts from one of them. */
  readonly bases: () => readonly Base[] | Promise<readonly Base[]>;
  /**
   * Reads an input to the end, as a command would.
   *
   * @param place where the files are; what is written goes to `place.out`
   */
  readonly read: (files: Files, place: Place) => unknown;
  /** Whether the files are laid down first, and what is left afterwards is looked at. */
  readonly isOnDisk?: boolean | undefined;
  /** What must be the same after a try, such as the number of tensors. */
  readonly count?: (() => number) | undefined;
}

/** The folders of a try. */
export interface Place {
  /** With the files of the input; it must not change. */
  readonly in: string;
  /** Not there yet. Where a try fails, it must not be there afterwards, nor anything beside it. */
  readonly out: string;
}

/** A target's bases are read once, since they are the same for all its tries. */
export interface Ready {
  readonly target: Target;
  readonly bases: readonly Base[];
}
