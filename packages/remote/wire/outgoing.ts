import { BkError } from '@bk/core';
import type { Channel } from './channel.ts';
import type { Clock } from './clock.ts';
import { FLAG, type FrameType, HEADER, violation, writeHeader } from './frame.ts';
import { Packer, type Packing } from './packing.ts';
import type { BufferPool } from './pool.ts';

/** Bytes of streams that wait to be written. */
const ROOM = 1 << 20;
/** Bytes in all: more only waits for a side that asks and asks, and reads no answers. */
const MOST_WAITING = 16 << 20;
/** What keeping a piece costs beside its bytes. */
const PIECE_COST = 128;

export interface OutgoingOptions {
  readonly clock: Clock;
  readonly packing: Packing;
  readonly pool: BufferPool;
  /** The channel is broken, or the other side reads nothing. */
  readonly onBroken: (error: BkError) => void;
}

/** All that is sent over a channel, in order, in as few writes as it comes to. */
export class Outgoing {
  readonly #channel: Channel;
  readonly #options: OutgoingOptions;
  readonly #packer: Packer;
  readonly pool: BufferPool;
  #queue: Uint8Array[] = [];
  #bytes = 0;
  #writing: Promise<void> | undefined;
  #sinceMs: number | undefined;
  /** Pieces of the pool among what is being written, and among what waits. */
  #borrowed: Uint8Array[] = [];
  #waiting: (() => void)[] = [];
  #error: BkError | undefined;

  constructor(channel: Channel, options: OutgoingOptions) {
    this.#channel = channel;
    this.#options = options;
    this.#packer = new Packer(options.packing);
    this.pool = options.pool;
  }

  /** When the write began that is under way. */
  get writingSinceMs(): number | undefined {
    return this.#sinceMs;
  }

  /** Sends a small frame, at once. */
  push(type: FrameType, flags: number, call: number, payload: Uint8Array = EMPTY): void {
    if (this.#error !== undefined) return;
    const header = Buffer.allocUnsafe(HEADER);
    writeHeader(header, { type, flags, call, length: payload.length });
    this.#add(header, payload);
    if (this.#bytes + this.#queue.length * PIECE_COST > MOST_WAITING)
      this.#options.onBroken(violation('one thing after the other, and reads no answers'));
    else this.#writing ??= this.#write();
  }

  get isFull(): boolean {
    return this.#bytes >= ROOM && this.#error === undefined;
  }

  /** Sends a frame of a stream or a message, compressed where that helps. The payload is not changed any more. */
  put(type: FrameType, flags: number, call: number, payload: Uint8Array): void {
    const packed = this.#packer.pack(payload);
    if (packed === undefined) this.push(type, flags, call, payload);
    else this.push(type, flags | FLAG.packed, call, packed);
  }

  /** Sends a frame as soon as there is room, and gives its payload back to the pool when it is written. @throws like `room` */
  async send(type: FrameType, flags: number, call: number, payload: Uint8Array): Promise<void> {
    while (this.isFull) await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    if (this.#error !== undefined) throw this.#error;
    this.put(type, flags, call, payload);
    this.#borrowed.push(payload);
  }

  /** @throws why nothing is sent any more */
  async room(): Promise<void> {
    while (this.isFull) await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    if (this.#error !== undefined) throw this.#error;
  }

  /** Resolves when all that was sent is written, or cannot be. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  /** Nothing is sent any more; who waits for room gets the error. */
  stop(error: BkError): void {
    this.#error ??= error;
    this.#queue = [];
    this.#bytes = 0;
    this.#wakeAll();
  }

  #add(...pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      if (piece.length === 0) continue;
      this.#queue.push(piece);
      this.#bytes += piece.length;
    }
  }

  async #write(): Promise<void> {
    // What is sent in the same turn goes in the same write.
    await undefined;
    const { clock, onBroken } = this.#options;
    try {
      while (this.#queue.length > 0) {
        const batch = this.#queue;
        const bytes = this.#bytes;
        const borrowed = this.#borrowed;
        this.#queue = [];
        this.#bytes = 0;
        this.#borrowed = [];
        this.#wakeAll();
        const begun = clock.nowMs();
        this.#sinceMs = begun;
        await this.#channel.write(batch);
        for (const piece of borrowed) this.pool.give(piece);
        this.#packer.took(bytes, clock.nowMs() - begun);
      }
    } catch (cause) {
      onBroken(new BkError('unreachable', 'cannot reach the other bk: the connection is broken', { cause }));
    } finally {
      this.#sinceMs = undefined;
      this.#writing = undefined;
    }
  }

  #wakeAll(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

const EMPTY = new Uint8Array(0);
