import { messageOf, SlothfulError } from '../../src/errors.ts';

/** The rules, by what is said of an input that breaks one. */
export type FaultKind =
  /** Something was thrown that is no SlothfulError, or one that admits a bug. */
  | 'foreign error'
  /** Its message has several lines, or signs that a terminal obeys. */
  | 'unclean message'
  | 'long message'
  | 'slow'
  | 'memory'
  /** A file, an open file or a tensor was left behind. */
  | 'left behind'
  /** The process did not come back, or ended. */
  | 'hang'
  | 'crash';

/** A rule that was broken, and how. */
export interface Fault {
  readonly kind: FaultKind;
  readonly detail: string;
}

/** How an input was met. */
export type Verdict = 'taken' | 'refused' | Fault;

/** What a try may take. */
export const LIMITS = {
  /** Of the processor, so that a machine with other work does not look slow. */
  cpuMs: 2000,
  memoryBytes: 512 * 2 ** 20,
  /** src/errors.ts shortens what others wrote; a list of tensors, say, is still a screenful. */
  messageLetters: 1500,
  /** Past this the process is killed: what does not come back has no time of its own to tell. */
  hangMs: 10_000,
} as const;

/** Letters of a stack that tell where it was thrown. */
const STACK = 1500;

// What moves the cursor, colours, deletes, or writes from right to left.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNCLEAN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

/** What is wrong with what was thrown; undefined where it is as it should be. */
export function faultOfError(error: unknown): Fault | undefined {
  if (!(error instanceof SlothfulError) || error.code === 'bug') {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { kind: 'foreign error', detail: stack.slice(0, STACK) };
  }
  const message = messageOf(error);
  const unclean = UNCLEAN.exec(message);
  if (unclean) {
    const near = JSON.stringify(message.slice(Math.max(0, unclean.index - 80), unclean.index + 20));
    return { kind: 'unclean message', detail: `near ${near}` };
  }
  if (message.length <= LIMITS.messageLetters) return undefined;
  return { kind: 'long message', detail: `${message.length} letters: ${message.slice(0, 300)}` };
}

/** Faults of one cause, as far as a program can tell: of one kind, thrown at one place or said in one way. */
export function causeOf(target: string, { kind, detail }: Fault): string {
  const thrownAt = /at [^\n]*?((?:src|converters|node_modules)\/[^\n:)]+:\d+)/.exec(detail)?.[1];
  const said = detail.replace(/"(?:[^"\\]|\\.)*"|\d+|\S*\/\S*/g, '_').slice(0, 60);
  return `${target}: ${kind}: ${thrownAt ?? (kind === 'foreign error' || kind === 'long message' ? said : '')}`;
}
