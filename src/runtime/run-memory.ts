import * as tf from '@tensorflow/tfjs-core';

/**
 * What passes keep of a model between the evaluations of one run. Make one for every run, hand it to each of its calls of
 * `predict`, and dispose of it: two runs never see each other's.
 *
 * Another batch or size than before, or another model, begins anew.
 */
export class RunMemory {
  private readonly tensors = new Map<string, tf.Tensor>();
  private evaluations = 0;
  private last: { readonly model: object; readonly shape: string } | undefined;

  /** Which evaluation of the run the next one is, from 0. @param shape of the sample */
  next(model: object, shape: readonly number[]): number {
    const same = this.last?.model === model && this.last.shape === shape.join();
    if (!same) this.dispose();
    this.last = { model, shape: shape.join() };
    return this.evaluations;
  }

  /** What a node made when it was last kept. It stays the memory's. */
  get(node: string): tf.Tensor | undefined {
    return this.tensors.get(node);
  }

  /** Ends an evaluation that went well: what it made anew is kept, and nothing else that it did not take. */
  keep(made: ReadonlyMap<string, tf.Tensor>, taken: readonly string[]): void {
    for (const [node, tensor] of this.tensors) {
      if (taken.includes(node)) continue;
      tensor.dispose();
      this.tensors.delete(node);
    }
    for (const [node, tensor] of made) this.tensors.set(node, tf.keep(tensor));
    this.evaluations++;
  }

  /** Frees what is kept. It can be used again, as if it were new. */
  dispose(): void {
    for (const tensor of this.tensors.values()) tensor.dispose();
    this.tensors.clear();
    this.evaluations = 0;
    this.last = undefined;
  }
}
