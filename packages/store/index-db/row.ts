import zlib from 'node:zlib';
import {
  GIT_ID_BYTES,
  type GitId,
  HASH_BYTES,
  ID_BYTES,
  type KnownDirectory,
  type Listing,
  STAT_WIDTH,
} from '@bk/core';

/**
 * A KnownDirectory as one packed row, little-endian:
 * u32 magic, u32 crc of all that follows, u32 entries, u32 bytes of names, i64 observed, 20 bytes tree, u32 flags,
 * then the columns stats (8 × STAT_WIDTH), hashes, ids, records, modes, kinds, protections, names joined by `/`.
 */
const MAGIC = 0x314b4252;
const HEADER = 48;
const ENTRY = 8 * STAT_WIDTH + HASH_BYTES + ID_BYTES + GIT_ID_BYTES + 2 + 1 + 1;
const FLAG_MOUNT = 1;

export function encodeRow(directory: KnownDirectory): Buffer {
  const { listing } = directory;
  const count = listing.names.length;
  const names = Buffer.from(listing.names.join('/'), 'latin1');
  const row = Buffer.allocUnsafeSlow(HEADER + count * ENTRY + names.length);
  row.writeUInt32LE(MAGIC, 0);
  row.writeUInt32LE(count, 8);
  row.writeUInt32LE(names.length, 12);
  row.writeBigInt64LE(directory.observedNs, 16);
  row.write(directory.tree, 24, 'hex');
  row.writeUInt32LE(directory.mount ? FLAG_MOUNT : 0, 44);
  let at = HEADER;
  for (const column of [
    listing.stats,
    directory.hashes,
    directory.ids,
    directory.records,
    listing.modes,
    listing.kinds,
    directory.protections,
  ]) {
    row.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at += column.byteLength;
  }
  names.copy(row, at);
  row.writeUInt32LE(zlib.crc32(row.subarray(8)), 4);
  return row;
}

/** Undefined if the row is damaged: then it is evidence of nothing. */
export function decodeRow(bytes: Uint8Array): KnownDirectory | undefined {
  if (bytes.length < HEADER) return undefined;
  const row = aligned(bytes);
  if (row.readUInt32LE(0) !== MAGIC || row.readUInt32LE(4) !== zlib.crc32(row.subarray(8))) return undefined;
  const count = row.readUInt32LE(8);
  const nameBytes = row.readUInt32LE(12);
  if (row.length !== HEADER + count * ENTRY + nameBytes) return undefined;
  const names = row.toString('latin1', row.length - nameBytes).split('/');
  if (names.length !== count) return undefined;
  let at = HEADER;
  const column = (width: number): Uint8Array => {
    const start = at;
    at += width * count;
    return row.subarray(start, at);
  };
  const stats = column(8 * STAT_WIDTH);
  const hashes = column(HASH_BYTES);
  const ids = column(ID_BYTES);
  const records = column(GIT_ID_BYTES);
  const modes = column(2);
  const kinds = column(1);
  const protections = column(1);
  const listing: Listing = {
    names,
    kinds,
    modes: new Uint16Array(modes.buffer, modes.byteOffset, count),
    stats: new BigInt64Array(stats.buffer, stats.byteOffset, count * STAT_WIDTH),
  };
  const tree = row.toString('hex', 24, 44) as GitId;
  const mount = (row.readUInt32LE(44) & FLAG_MOUNT) !== 0;
  return { tree, observedNs: row.readBigInt64LE(16), mount, listing, hashes, ids, records, protections };
}

/** Whether a row, known to be undamaged, says that a file system was mounted there; costs next to nothing. */
export function isMountRow(row: Uint8Array): boolean {
  return ((row[44] ?? 0) & FLAG_MOUNT) !== 0;
}

/** Typed arrays need their columns on 8-byte borders: copies the row if its bytes do not lie on one. */
function aligned(bytes: Uint8Array): Buffer {
  if (bytes.byteOffset % 8 === 0) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
