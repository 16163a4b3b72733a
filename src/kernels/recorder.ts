/** What one execution of an attention node did. */
export interface ExecutedAttention {
  /** The node's `site` attribute: its row of the control table. */
  readonly site: number;
  /** The node's `id` attribute. */
  readonly id: string;
  readonly cross: boolean;
  /** Tokens of one image as they came to the node. */
  readonly tokens: number;
  /** Queries of one item of the batch that was attended. */
  readonly queries: number;
  /** Keys and values of one item. */
  readonly kvTokens: number;
  /** Items by image: its tiles; less than 1 where a part of the batch attended nothing. */
  readonly items: number;
  /** Bytes of the largest single logits tensor. */
  readonly logitsBytes: number;
  /** True where a stage made other keys' or values' inputs. */
  readonly pooled: boolean;
  /** The rows that its stages were given, by stage and column; those that left the attention as it is too. */
  readonly rows: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export type AttentionListener = (executed: ExecutedAttention) => void;

let listening: AttentionListener | undefined;

/**
 * Tells `listener` of every attention node that executes while `run` does. `run` must work synchronously
 * (`model.execute`, `model.predict`). A recording inside another one takes its records for itself.
 *
 * @returns what `run` returns
 */
export function recordAttention<T>(listener: AttentionListener, run: () => T): T {
  const outer = listening;
  listening = listener;
  try {
    return run();
  } finally {
    listening = outer;
  }
}

/** Makes and passes on a record; costs nothing while nobody listens. */
export function report(executed: () => ExecutedAttention): void {
  listening?.(executed());
}
