/** What kind of thing went wrong; programs may switch on it, people read the message. */
export type ErrorCode =
  | 'bad-checkpoint'
  | 'bad-model'
  | 'bad-graph'
  | 'bad-parameter'
  | 'bad-input'
  | 'unsupported'
  | 'exists'
  | 'io'
  | 'backend'
  | 'usage'
  | 'aborted'
  | 'bug';

/**
 * The one error class of the toolkit. Its message says where, what was wrong and the cure, on one line.
 *
 * @param code what kind of error
 * @param place the file, node, site or parameter that is at fault
 * @param problem what was wrong with it, with the numbers
 * @param cure what the user can do about it
 */
export class SlothfulError extends Error {
  override readonly name = 'SlothfulError';

  constructor(
    readonly code: ErrorCode,
    readonly place: string,
    readonly problem: string,
    readonly cure?: string,
    options?: ErrorOptions,
  ) {
    super(`${place}: ${problem}${cure ? `; ${cure}` : ''}`, options);
  }
}

/** Turns anything that was thrown into its message, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\n\s*/g, ' ').trim();
}
