import type { Readable, Writable } from 'node:stream';
import type { BkError } from '@bk/core';
import { type Clock, systemClock } from './clock.ts';
import { type Incoming, SocketIncoming } from './incoming.ts';
import { TIMEOUTS } from './timeouts.ts';

/** A byte stream to another process, both ways. */
export interface Channel {
  /** Bytes as they come, each piece for whoever gets it. */
  readonly incoming: { [Symbol.asyncIterator](): Incoming };
  /**
   * Resolves when more may be written and what was given is not needed any more; rejects when the channel is broken.
   * One call at a time.
   */
  write(bytes: readonly Uint8Array[]): Promise<void>;
  /** Ends our side; resolves when the other end is gone too, or after a bounded time. */
  close(): Promise<void>;
  /** Why it ended, if more is known than that it did: asked when it ends unexpectedly. A bounded time too. */
  reason?(): Promise<BkError | undefined>;
}

export interface StreamOptions {
  readonly clock?: Clock;
  readonly closeMs?: number;
  readonly reason?: () => Promise<BkError | undefined>;
}

/**
 * A channel over a pair of Node's streams: the stdio of a child, or this process' own. For one's own give streams that
 * do not block (`new net.Socket({ fd: 1 })`): writing to `process.stdout` stops the whole process while nobody reads.
 */
export function streamChannel(
  readable: Readable | SocketIncoming,
  writable: Writable,
  options: StreamOptions = {},
): Channel {
  return new StreamChannel(readable, writable, options);
}

class StreamChannel implements Channel {
  readonly incoming: Channel['incoming'];
  readonly reason?: () => Promise<BkError | undefined>;
  readonly #readable: Readable;
  readonly #writable: Writable;
  readonly #clock: Clock;
  readonly #closeMs: number;
  readonly #ended: Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(
    source: Readable | SocketIncoming,
    writable: Writable,
    { clock, closeMs, reason }: StreamOptions,
  ) {
    const readable = source instanceof SocketIncoming ? source.socket : source;
    this.#readable = readable;
    this.#writable = writable;
    this.#clock = clock ?? systemClock;
    this.#closeMs = closeMs ?? TIMEOUTS.closeMs;
    if (reason !== undefined) this.reason = reason;
    // What is broken shows where it is read or written; an error that nobody listens to would end the process.
    writable.on('error', () => {});
    this.#ended = new Promise((resolve) => {
      readable.on('error', () => resolve());
      readable.on('end', resolve);
      readable.on('close', resolve);
    });
    this.incoming = source instanceof SocketIncoming ? source : reading(source);
  }

  write(bytes: readonly Uint8Array[]): Promise<void> {
    const stream = this.#writable;
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(stream.errored ?? new Error('the stream is closed'));
      if (stream.destroyed || stream.writableEnded) return gone();
      stream.once('close', gone);
      stream.cork();
      bytes.forEach((one, i) => {
        if (i < bytes.length - 1) stream.write(one);
        else
          stream.write(one, (error) => {
            stream.off('close', gone);
            if (error) reject(error);
            else resolve();
          });
      });
      stream.uncork();
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#writable.end();
    let calledOff = (): void => {};
    const late = new Promise<void>((resolve) => {
      calledOff = this.#clock.after(this.#closeMs, resolve);
    });
    // Nobody may be reading any more: then the end would never be seen.
    if (this.#readable.isPaused() || this.#readable.readableFlowing === null) this.#readable.resume();
    await Promise.race([this.#ended, late]);
    calledOff();
    this.#readable.destroy();
    this.#writable.destroy();
  }
}

async function* reading(readable: Readable): AsyncGenerator<Uint8Array> {
  try {
    for await (const bytes of readable.iterator({ destroyOnReturn: false })) yield bytes as Uint8Array;
  } catch {
    // Broken is ended: what is missing then shows by itself.
  }
}
