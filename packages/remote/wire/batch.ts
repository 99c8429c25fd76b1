import { MOST_PAYLOAD } from './frame.ts';
import type { BufferPool } from './pool.ts';

/** A frame of small things is sent when it has grown to this. */
const FULL = 256 << 10;

/** How the payloads of a stream are sent. */
export interface Sending {
  /** Resolves when the next may be sent. The payload belongs to whoever sends it, who gives it back to the pool. */
  readonly send: (payload: Uint8Array) => Promise<void>;
  readonly pool: BufferPool;
}

/**
 * Gathers what is small into frames. What is begun is sent when it is full, or when whoever fills it lets other work
 * run: so a quick source makes large frames, and a slow one does not keep anybody waiting.
 */
export class Batch {
  readonly #send: (payload: Uint8Array) => Promise<void>;
  readonly #pool: BufferPool;
  #buffer: Buffer | undefined;
  #length = 0;
  #sending: Promise<void> = Promise.resolve();
  #late: NodeJS.Immediate | undefined;

  constructor({ send, pool }: Sending) {
    this.#send = send;
    this.#pool = pool;
  }

  /** Where to write the next `bytes`; they count when `keep` is called, in the same turn. */
  async room(bytes: number): Promise<Buffer> {
    for (;;) {
      const room = this.roomNow(bytes);
      if (room !== undefined) return room;
      await this.flush();
    }
  }

  /** The same at once; undefined: what is there has to be sent first. */
  roomNow(bytes: number): Buffer | undefined {
    if (this.#length > 0 && (this.#length >= FULL || this.#length + bytes > MOST_PAYLOAD)) return undefined;
    this.#buffer ??= this.#pool.take();
    return this.#buffer.subarray(this.#length);
  }

  /** Whether what was written where `room` said can be kept still, after other work has run. */
  isAt(room: Buffer): boolean {
    return this.#buffer?.buffer === room.buffer && this.#length === room.byteOffset;
  }

  keep(bytes: number): void {
    this.#length += bytes;
    this.#late ??= setImmediate(() => void this.flush().catch(() => {}));
  }

  /** Resolves when all that was kept may be sent. @throws why nothing can be sent any more */
  async flush(): Promise<void> {
    clearImmediate(this.#late);
    this.#late = undefined;
    if (this.#buffer !== undefined && this.#length > 0) {
      const payload = this.#buffer.subarray(0, this.#length);
      this.#length = 0;
      this.#buffer = undefined;
      this.#sending = this.#sending.then(() => this.#send(payload));
      this.#sending.catch(() => {});
    }
    await this.#sending;
  }

  /** Sends nothing more by itself. */
  stop(): void {
    clearImmediate(this.#late);
    this.#length = 0;
  }
}
