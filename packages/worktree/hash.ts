import fs from 'node:fs';
import { createRequire } from 'node:module';
import type { ContentHash } from '@bk/core';
import { blake3 as portableBlake3 } from '@noble/hashes/blake3.js';

/** BLAKE3-256 of contents, natively; in plain JavaScript (a hundred times slower) where no native build is there. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  digest(): ContentHash;
}

interface NativeHasher {
  update(bytes: Uint8Array): void;
  digest(encoding: 'hex'): string;
  reset(): void;
}
interface Native {
  readonly Blake3Hasher: new () => NativeHasher;
}

let native: Native | null | undefined;

/** Loaded at the first hash, because start-up must not pay for it. BK_PORTABLE_HASH=1 forces the fallback. */
function loadNative(): Native | null {
  if (native !== undefined) return native;
  try {
    const load = createRequire(import.meta.url);
    native = process.env['BK_PORTABLE_HASH'] === '1' ? null : (load('@napi-rs/blake-hash') as Native);
  } catch {
    native = null;
  }
  return native;
}

export function createHasher(): Hasher {
  const loaded = loadNative();
  if (loaded !== null) {
    const hasher = new loaded.Blake3Hasher();
    return {
      update: (bytes) => void hasher.update(bytes),
      digest: () => hasher.digest('hex') as ContentHash,
    };
  }
  const hasher = portableBlake3.create({});
  return {
    update: (bytes) => void hasher.update(bytes),
    digest: () => Buffer.from(hasher.digest()).toString('hex') as ContentHash,
  };
}

export function hashBytes(bytes: Uint8Array): ContentHash {
  const loaded = loadNative();
  if (loaded === null) {
    const { buffer, byteOffset, byteLength } = portableBlake3(bytes);
    return Buffer.from(buffer, byteOffset, byteLength).toString('hex') as ContentHash;
  }
  // One that is kept makes no buffer for each hash, which costs as much as hashing a small file does (measured).
  if (kept === undefined) kept = new loaded.Blake3Hasher();
  else kept.reset();
  kept.update(bytes);
  return kept.digest('hex') as ContentHash;
}

let kept: NativeHasher | undefined;

const CHUNK = 1 << 20;
let chunk: Buffer | undefined;

/**
 * Hash of what can be read from an open file from its start, and how many bytes that was.
 * @param expected the size that the caller will check afterwards: a small file read so far is not read on, and one that
 *   turns out longer (it grows, or is a device) is given up
 */
export function hashDescriptor(
  fd: number,
  expected?: number,
  onBytes?: (bytes: number) => void,
): { hash: ContentHash; size: number } {
  chunk ??= Buffer.allocUnsafeSlow(CHUNK);
  let read = fs.readSync(fd, chunk, 0, CHUNK, 0);
  if (read < CHUNK && read === expected) return { hash: hashBytes(chunk.subarray(0, read)), size: read };
  const hasher = createHasher();
  let size = 0;
  while (read > 0) {
    hasher.update(chunk.subarray(0, read));
    size += read;
    onBytes?.(read);
    if (expected !== undefined && size > expected) break;
    read = fs.readSync(fd, chunk, 0, CHUNK, size);
  }
  return { hash: hasher.digest(), size };
}
