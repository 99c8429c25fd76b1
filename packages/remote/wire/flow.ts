import type { BkError } from '@bk/core';
import { violation } from './frame.ts';
import type { BufferPool } from './pool.ts';

/** What may be on its way in one stream before the receiver has consumed any of it. */
export const WINDOW = 4 << 20;
/** What a frame costs of the window beside its bytes, so that many small ones are not cheaper to send than to keep. */
const FRAME_COST = 64;

export function costOf(payload: Uint8Array): number {
  return payload.length + FRAME_COST;
}

/** The receiving end of a stream: keeps what came until it is asked for, never more than the window. */
export class Inflow {
  readonly #pool: BufferPool | undefined;
  readonly #grant: (bytes: number) => void;
  #queue: Uint8Array[] = [];
  #first = 0;
  #allowed = WINDOW;
  /** Consumed, and not told to the sender yet. */
  #consumed = 0;
  #current: Uint8Array | undefined;
  #ended = false;
  #error: BkError | undefined;
  #wake: (() => void) | undefined;

  /** @param pool gets back what was consumed; absent: whoever consumes it may keep it */
  constructor(pool: BufferPool | undefined, grant: (bytes: number) => void) {
    this.#pool = pool;
    this.#grant = grant;
  }

  /** @throws BkError 'damaged' if it was not allowed to come */
  push(payload: Uint8Array): void {
    this.#allowed -= costOf(payload);
    if (this.#ended) throw violation('bytes after the end of a stream');
    if (this.#allowed < 0) throw violation('more bytes than were allowed');
    this.#queue.push(payload);
    this.#wakeUp();
  }

  /** What came before is still given; then it ends, with this error. */
  end(error?: BkError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wakeUp();
  }

  /** Nothing is given any more. */
  fail(error: BkError): void {
    if (this.#ended && this.#error !== undefined && this.#first >= this.#queue.length) return;
    this.#ended = true;
    this.#error = error;
    this.#queue = [];
    this.#first = 0;
    this.#wakeUp();
  }

  /** Whether something waits here to be asked for. */
  get isFilled(): boolean {
    return this.#first < this.#queue.length;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** The next payload, valid until the one after it is asked for; undefined at the end. @throws what ended it */
  async next(): Promise<Uint8Array | undefined> {
    this.#release();
    while (this.#first >= this.#queue.length) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const payload = this.#queue[this.#first]!;
    this.#first++;
    if (this.#first === this.#queue.length) {
      this.#queue = [];
      this.#first = 0;
    }
    this.#current = payload;
    return payload;
  }

  #release(): void {
    if (this.#current === undefined) return;
    this.#consumed += costOf(this.#current);
    this.#pool?.give(this.#current);
    this.#current = undefined;
    if (this.#consumed < WINDOW / 4 || this.#ended) return;
    this.#allowed += this.#consumed;
    this.#grant(this.#consumed);
    this.#consumed = 0;
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** The sending end of a stream: nothing is sent that the receiver has no room for. */
export class Outflow {
  /** Contents up to this number, from 1, are not wanted any more. */
  skipped = 0;
  #allowed = WINDOW;
  #error: BkError | undefined;
  #wake: (() => void) | undefined;

  /** @throws BkError 'damaged' if it is more than was sent */
  grant(bytes: number): void {
    this.#allowed += bytes;
    if (this.#allowed > WINDOW) throw violation('a leave for more than it was sent');
    this.#wakeUp();
  }

  skip(ordinal: number): void {
    this.skipped = Math.max(this.skipped, ordinal);
    this.#wakeUp();
  }

  /** Ends waiting; what is not sent yet never is. */
  stop(error: BkError): void {
    this.#error ??= error;
    this.#wakeUp();
  }

  /** Resolves when the payload may be sent, and counts it as sent. @throws what stopped it */
  async reserve(payload: Uint8Array): Promise<void> {
    const cost = costOf(payload);
    for (;;) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#allowed >= cost) break;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#allowed -= cost;
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
