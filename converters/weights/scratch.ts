/**
 * Two buffers that grow to the largest tensor and are used again for every one: a new buffer a tensor would cost more in
 * page faults than the copy itself. What is in a buffer is valid until its next `take`.
 */
export class Scratch {
  private readonly buffers: Record<'input' | 'output', ArrayBuffer> = {
    input: new ArrayBuffer(0),
    output: new ArrayBuffer(0),
  };

  /** A buffer of at least `bytes` bytes. */
  take(which: 'input' | 'output', bytes: number): ArrayBuffer {
    if (this.buffers[which].byteLength < bytes) this.buffers[which] = new ArrayBuffer(bytes);
    return this.buffers[which];
  }
}
