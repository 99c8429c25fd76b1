import type { MediaError } from '@bk/core';

/** A file's bytes, anywhere in it. */
export interface ByteSource {
  readonly size: number;
  /** Fewer bytes only where the file ends. They may be overwritten by the next call. */
  read(offset: number, length: number): Uint8Array;
}

/** Ends a reader; readMedia makes a value of it. It never leaves this folder. */
export class Unparsable extends Error {
  readonly reason: MediaError;

  constructor(reason: MediaError) {
    super(reason);
    this.reason = reason;
  }
}

/** More of a file in one piece is asked for only by a file that lies. */
const LONGEST = 16 << 20;
const CHUNK = 64 << 10;
const SCANNED = 1 << 20;

/**
 * What readers look through: any bytes of a source, of which the last chunk is kept. Asking past the end is
 * Unparsable 'truncated'. Whatever the source itself throws (I/O) is kept in `failure`, since it is not the file's fault.
 */
export class Window {
  readonly size: number;
  failure: unknown;
  readonly #source: ByteSource;
  #start = 0;
  #chunk: Buffer = Buffer.alloc(0);

  constructor(source: ByteSource) {
    this.#source = source;
    this.size = source.size;
  }

  /** Valid until the next call. */
  bytes(offset: number, length: number): Buffer {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) throw new Unparsable('truncated');
    const from = offset - this.#start;
    if (from >= 0 && from + length <= this.#chunk.length) return this.#chunk.subarray(from, from + length);
    if (length > LONGEST) throw new Unparsable('malformed');
    const chunk = this.#read(offset, Math.max(length, CHUNK));
    if (chunk.length < length) throw new Unparsable('truncated');
    return chunk.subarray(0, length);
  }

  /** What is there from an offset, at most so many bytes. */
  upTo(offset: number, length: number): Buffer {
    const there = Math.max(0, Math.min(length, this.size - offset));
    return this.bytes(Math.min(offset, this.size), there);
  }

  /** A copy, which stays. */
  copy(offset: number, length: number): Buffer {
    return Buffer.from(this.bytes(offset, length));
  }

  byte(offset: number): number {
    return this.bytes(offset, 1)[0] as number;
  }

  /** Where these bytes (at least one) come first, from an offset up to an end; -1 if nowhere. */
  indexOf(wanted: Buffer, from: number, end: number = this.size): number {
    for (let at = from; at < end; at += SCANNED) {
      const length = Math.min(SCANNED + wanted.length - 1, end - at);
      const found = this.bytes(at, length).indexOf(wanted);
      if (found >= 0) return at + found;
    }
    return -1;
  }

  #read(offset: number, length: number): Buffer {
    try {
      const read = this.#source.read(offset, Math.min(length, this.size - offset));
      this.#chunk = Buffer.from(read.buffer, read.byteOffset, read.byteLength);
      this.#start = offset;
      return this.#chunk;
    } catch (cause) {
      this.failure = cause ?? new Error('read failed');
      throw cause;
    }
  }
}

/** Contents that are in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

export function windowOn(bytes: Uint8Array): Window {
  return new Window(bytesSource(bytes));
}

/**
 * What a part of a file tells that the rest does not depend on (a tag block): undefined if it is broken.
 * @throws what the window's source threw
 */
export function attempt<T>(window: Window, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (window.failure !== undefined) throw error;
    return undefined;
  }
}
