/** The chunks of a content that is at hand in one piece: whoever knows it takes that, without waiting for anything. */
export class WholeChunks implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  #bytes: Uint8Array;

  /** @param bytes valid as long as a chunk is */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes that were not read yet: all, or none. */
  get length(): number {
    return this.#bytes.length;
  }

  take(): Uint8Array {
    const bytes = this.#bytes;
    this.#bytes = NOTHING;
    return bytes;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    const value = this.take();
    return value.length === 0 ? DONE : { done: false, value };
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.take();
    return DONE;
  }
}

const NOTHING = new Uint8Array(0);
const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };
