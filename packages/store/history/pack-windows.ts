import fs from 'node:fs';
import { BkError } from '@bk/core';

const WINDOW = 64 * 1024;
/** 32 MiB of windows for all packs together. */
const MOST_WINDOWS = 512;
const MOST_OPEN = 64;

/** A pack as far as reading bytes is concerned; `key` is its number, never used twice in one process. */
export interface PackSource {
  readonly key: number;
  readonly file: string;
  /** Bytes in all, trailer included; -1 until it was opened. */
  size: number;
}

/**
 * Reads spans of packs by `pread` through a bounded set of aligned windows (32 MiB in all) and at most 64 open files,
 * the least recently used given up first. Buffers handed out are never written again, so they stay valid.
 */
export class PackWindows {
  readonly #windows = new Map<string, Buffer>();
  readonly #open = new Map<number, number>();
  /** The window that answered last: objects are mostly read as they lie. */
  #last: { readonly key: number; readonly start: number; readonly bytes: Buffer } | undefined;

  /** Bytes from `offset` on: at least `atLeast`, or fewer only where the pack ends; more if they are at hand. */
  read(pack: PackSource, offset: number, atLeast: number): Buffer {
    const last = this.#last;
    if (last !== undefined && last.key === pack.key) {
      const at = offset - last.start;
      if (at >= 0 && at + atLeast <= last.bytes.length) return last.bytes.subarray(at);
    }
    const size = this.sizeOf(pack);
    const wanted = Math.min(atLeast, size - offset);
    if (offset < 0 || wanted <= 0) return Buffer.alloc(0);
    const start = offset - (offset % WINDOW);
    if (offset + wanted > start + WINDOW) return this.#pread(pack, offset, wanted);
    return this.#window(pack, start, size).subarray(offset - start);
  }

  sizeOf(pack: PackSource): number {
    if (pack.size < 0) this.#descriptor(pack);
    return pack.size;
  }

  /** Drops everything; the next read opens anew. */
  close(): void {
    for (const fd of this.#open.values()) fs.closeSync(fd);
    this.#open.clear();
    this.#windows.clear();
    this.#last = undefined;
  }

  #window(pack: PackSource, start: number, size: number): Buffer {
    const key = `${pack.key}:${start}`;
    let window = this.#windows.get(key);
    if (window === undefined) {
      window = this.#pread(pack, start, Math.min(WINDOW, size - start));
      if (this.#windows.size >= MOST_WINDOWS) this.#windows.delete(firstKey(this.#windows));
    } else {
      this.#windows.delete(key);
    }
    this.#windows.set(key, window);
    this.#last = { key: pack.key, start, bytes: window };
    return window;
  }

  #pread(pack: PackSource, offset: number, length: number): Buffer {
    const fd = this.#descriptor(pack);
    const buffer = Buffer.allocUnsafeSlow(length);
    let done = 0;
    while (done < length) {
      const got = fs.readSync(fd, buffer, done, length - done, offset + done);
      if (got === 0) throw new BkError('damaged', 'the pack is shorter than it was', { path: pack.file });
      done += got;
    }
    return buffer;
  }

  #descriptor(pack: PackSource): number {
    const known = this.#open.get(pack.key);
    if (known !== undefined) return known;
    const fd = fs.openSync(pack.file, fs.constants.O_RDONLY);
    if (this.#open.size >= MOST_OPEN) {
      const oldest = firstKey(this.#open);
      fs.closeSync(this.#open.get(oldest)!);
      this.#open.delete(oldest);
    }
    this.#open.set(pack.key, fd);
    pack.size = fs.fstatSync(fd).size;
    return fd;
  }
}

function firstKey<K>(map: Map<K, unknown>): K {
  return map.keys().next().value as K;
}
