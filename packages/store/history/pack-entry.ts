import zlib from 'node:zlib';
import { BkError } from '@bk/core';
import { MAX_OBJECT_BYTES } from './delta.ts';
import type { PackSource, PackWindows } from './pack-windows.ts';

export type GitKind = 'commit' | 'tree' | 'blob' | 'tag';

/** Numbers of the kinds of entries in a pack. */
export const ENTRY = { commit: 1, tree: 2, blob: 3, tag: 4, offsetDelta: 6, idDelta: 7 } as const;
const KINDS: readonly (GitKind | undefined)[] = [undefined, 'commit', 'tree', 'blob', 'tag'];

const PACK_HEADER = 12;
const TRAILER = 20;
/** Kind and size (at most 10 bytes), distance or id of the base (at most 20), zlib and stored-block headers (7). */
const ENTRY_HEADER = 40;
/** Deflate cannot expand more than this (zlib technical notes: 1032:1). */
const MOST_EXPANSION = 1040;

/** An entry of a pack, inflated; of a delta, the delta with where its base is. */
export interface PackEntry {
  /** Absent for a delta. */
  readonly kind: GitKind | undefined;
  /** May lie in a shared window: to be read, not written. */
  readonly data: Buffer;
  readonly baseOffset: number | undefined;
  readonly baseId: Buffer | undefined;
}

/** Reads the entry at `offset`. Whatever cannot be so is 'damaged'; nothing is allocated on a claim alone. */
export function readPackEntry(windows: PackWindows, pack: PackSource, offset: number): PackEntry {
  const end = windows.sizeOf(pack) - TRAILER;
  if (offset < PACK_HEADER || offset >= end) throw new BkError('damaged', 'its place lies outside the pack');
  const view = windows.read(pack, offset, ENTRY_HEADER);
  let byte = byteAt(view, 0);
  const type = (byte >> 4) & 7;
  let size = byte & 15;
  let scale = 16;
  let at = 1;
  while (byte & 0x80) {
    byte = byteAt(view, at++);
    size += (byte & 0x7f) * scale;
    scale *= 128;
    if (size > MAX_OBJECT_BYTES) throw new BkError('damaged', 'it claims to be too large');
  }
  let baseOffset: number | undefined;
  let baseId: Buffer | undefined;
  if (type === ENTRY.offsetDelta) {
    byte = byteAt(view, at++);
    let distance = byte & 0x7f;
    while (byte & 0x80) {
      byte = byteAt(view, at++);
      distance = (distance + 1) * 128 + (byte & 0x7f);
      if (distance > offset) break;
    }
    baseOffset = offset - distance;
    if (distance <= 0 || baseOffset < PACK_HEADER)
      throw new BkError('damaged', 'the base of its delta lies outside the pack');
  } else if (type === ENTRY.idDelta) {
    baseId = view.subarray(at, at + 20);
    at += 20;
  }
  const kind = KINDS[type];
  if (kind === undefined && baseOffset === undefined && baseId === undefined) {
    throw new BkError('damaged', `it is of no known kind (${type})`);
  }
  if (size > (end - offset) * MOST_EXPANSION)
    throw new BkError('damaged', 'it claims to be larger than its data allow');
  return {
    kind,
    data: expand(windows, pack, { start: offset + at, end, size }, view.subarray(at)),
    baseOffset,
    baseId,
  };
}

interface Span {
  readonly start: number;
  /** Where the pack's entries end. */
  readonly end: number;
  /** Bytes after inflating. */
  readonly size: number;
}

function expand(windows: PackWindows, pack: PackSource, span: Span, ahead: Buffer): Buffer {
  if (isOneStoredBlock(ahead, span.size)) {
    if (span.start + 7 + span.size > span.end) throw new BkError('damaged', 'its data are cut off');
    const whole = ahead.length >= 7 + span.size ? ahead : windows.read(pack, span.start, 7 + span.size);
    return whole.subarray(7, 7 + span.size);
  }
  let length = Math.min(span.end - span.start, span.size + (span.size >> 8) + 64);
  for (;;) {
    const packed = windows.read(pack, span.start, length).subarray(0, span.end - span.start);
    const data = inflate(packed, span.size);
    if (data !== undefined) return data;
    if (packed.length >= span.end - span.start)
      throw new BkError('damaged', 'its compressed data are cut off');
    length = Math.min(span.end - span.start, packed.length * 4);
  }
}

/** Records as bk writes them are one stored block of deflate: bytes to be copied, no zlib needed. */
function isOneStoredBlock(data: Buffer, size: number): boolean {
  return (
    data.length >= 7 &&
    data[0] === 0x78 &&
    data[2] === 1 &&
    data.readUInt16LE(3) === size &&
    data.readUInt16LE(5) === (~size & 0xffff)
  );
}

/** Inflates exactly `size` bytes; undefined if the input ends too early. */
export function inflate(packed: Buffer, size: number): Buffer | undefined {
  let data: Buffer;
  try {
    data = zlib.inflateSync(packed, {
      maxOutputLength: Math.max(size, 1),
      chunkSize: Math.min(Math.max(size, 64), 1 << 20),
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR') return undefined;
    throw new BkError('damaged', 'its compressed data cannot be read', { cause: error });
  }
  if (data.length !== size) throw new BkError('damaged', 'its size is not the one it claims');
  return data;
}

function byteAt(view: Buffer, at: number): number {
  const byte = view[at];
  if (byte === undefined) throw new BkError('damaged', 'it is cut off');
  return byte;
}
