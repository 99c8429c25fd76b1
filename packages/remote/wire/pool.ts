import { MOST_PAYLOAD } from './frame.ts';

/** Buffers that are kept for the next frame. */
const KEPT = 6;

/**
 * Buffers of the size of the largest frame, used again: the system clears a new one page by page, which costs more than
 * filling it.
 */
export class BufferPool {
  readonly #free: Buffer[] = [];
  readonly #lent = new WeakSet<ArrayBufferLike>();

  /** Of MOST_PAYLOAD bytes. */
  take(): Buffer {
    const buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(MOST_PAYLOAD);
    this.#lent.add(buffer.buffer);
    return buffer;
  }

  /** Nobody looks into it any more. What is not of this pool is let go. */
  give({ buffer }: Uint8Array): void {
    if (this.#lent.delete(buffer) && this.#free.length < KEPT) this.#free.push(Buffer.from(buffer));
  }
}
