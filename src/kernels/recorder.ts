import type { ControlRow } from '../passes/slothful/control.ts';

/** What one execution of a `SlothfulAttention` did. */
export interface AttentionRecord {
  /** The node's `site` attribute: its row of the control table. */
  readonly site: number;
  /** The node's `id` attribute. */
  readonly id: string;
  readonly cross: boolean;
  /** Queries of one image. */
  readonly tokens: number;
  /** Keys and values of one image. */
  readonly kvTokens: number;
  /** Bytes of the largest single logits tensor. */
  readonly logitsBytes: number;
  /** True where keys and values were sampled or pooled. */
  readonly pooled: boolean;
  /** The row of the control input that ran; all ones where none was fed. */
  readonly row: ControlRow;
}

export type AttentionListener = (record: AttentionRecord) => void;

let listening: AttentionListener | undefined;

/**
 * Tells `listener` of every `SlothfulAttention` that executes while `run` does. `run` must work synchronously
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
export function report(record: () => AttentionRecord): void {
  listening?.(record());
}
