import type net from 'node:net';

/** What comes from the other end, piece by piece; it ends when the other end closes, or is broken. */
export interface Incoming extends AsyncIterator<Uint8Array> {
  /**
   * Gives the rest to `take` in the turn in which it comes, each piece valid until `take` returns. Resolves at the end.
   * @throws what `take` throws; what comes after that is let go
   */
  pour?(take: (bytes: Uint8Array) => void): Promise<void>;
}

type OnRead = NonNullable<net.SocketConstructorOpts['onread']>;

/** Bytes that are read at once: what a socket of the system holds. */
const READ = 256 << 10;

/**
 * Reads a socket into one buffer again and again. Node's streams take a new one for each 64 KiB, which costs as much
 * processor time as all that is done with the bytes.
 */
export class SocketIncoming implements Incoming, AsyncIterable<Uint8Array> {
  readonly socket: net.Socket;
  readonly #ended: Promise<void>;
  #take: ((bytes: Uint8Array) => void) | undefined;
  #queue: Uint8Array[] = [];
  #isEnded = false;
  #wake: (() => void) | undefined;

  /** @param make makes the socket with this way of reading */
  constructor(make: (onread: OnRead) => net.Socket) {
    const buffer = Buffer.allocUnsafeSlow(READ);
    this.socket = make({ buffer, callback: (bytes) => this.#took(buffer.subarray(0, bytes)) });
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#isEnded = true;
        this.#wakeUp();
        resolve();
      };
      // Broken is ended: what is missing then shows by itself.
      this.socket.on('error', end).on('end', end).on('close', end);
    });
    // Without it an end would never be told.
    this.socket.resume();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const value = this.#queue.shift();
      if (value !== undefined) {
        if (this.#queue.length === 0) this.socket.resume();
        return { done: false, value };
      }
      if (this.#isEnded) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async pour(take: (bytes: Uint8Array) => void): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    let wake = (): void => {};
    const failed = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#take = (bytes) => {
      if (failure !== undefined) return;
      try {
        take(bytes);
      } catch (error) {
        failure = { error };
        wake();
      }
    };
    for (const piece of this.#queue.splice(0)) this.#take(piece);
    this.socket.resume();
    await Promise.race([this.#ended, failed]);
    if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
  }

  /** @returns whether more may come at once */
  #took(bytes: Uint8Array): boolean {
    if (this.#take !== undefined) {
      this.#take(bytes);
      return true;
    }
    this.#queue.push(Uint8Array.from(bytes));
    this.#wakeUp();
    return false;
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
