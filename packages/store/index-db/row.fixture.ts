import {
  type ContentHash,
  GIT_ID_BYTES,
  type GitId,
  HASH_BYTES,
  ID_BYTES,
  KIND,
  type KnownDirectory,
  STAT_WIDTH,
} from '@bk/core';
import fc from 'fast-check';

const int64 = fc.bigInt(-(1n << 63n), (1n << 63n) - 1n);
/** Any bytes that a name can have, one char each. */
const name = fc
  .array(
    fc.integer({ min: 1, max: 255 }).map((byte) => (byte === 0x2f ? 0x30 : byte)),
    { minLength: 1, maxLength: 12 },
  )
  .map((bytes) => String.fromCharCode(...bytes))
  .filter((text) => text !== '.' && text !== '..');
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

/** Any directory that the index can have a row of. */
export const anyDirectory: fc.Arbitrary<KnownDirectory> = fc
  .uniqueArray(name, { maxLength: 6 })
  .chain((names) => {
    const count = names.length + 1;
    return fc.record({
      tree: bytes(GIT_ID_BYTES).map((id) => Buffer.from(id).toString('hex') as GitId),
      observedNs: int64,
      mount: fc.boolean(),
      listing: fc.record({
        names: fc.constant(['.', ...names.sort()]),
        kinds: bytes(count),
        modes: fc
          .array(fc.integer({ min: 0, max: 0o7777 }), { minLength: count, maxLength: count })
          .map((all) => Uint16Array.from(all)),
        stats: fc
          .array(int64, { minLength: count * STAT_WIDTH, maxLength: count * STAT_WIDTH })
          .map((all) => BigInt64Array.from(all)),
      }),
      hashes: bytes(count * HASH_BYTES),
      ids: bytes(count * ID_BYTES),
      records: bytes(count * GIT_ID_BYTES),
      protections: bytes(count),
    });
  });

/** As plain values, so that a Buffer equals a Uint8Array. */
export function plain(directory: KnownDirectory | undefined): unknown {
  if (directory === undefined) return undefined;
  const { listing, hashes, ids, records, protections, ...rest } = directory;
  return {
    ...rest,
    names: [...listing.names],
    kinds: [...listing.kinds],
    modes: [...listing.modes],
    stats: [...listing.stats],
    columns: [hashes, ids, records, protections].map((column) => [...column]),
  };
}

/** A directory of files, each with its content, inode and mtime. */
export function directoryOf(
  files: Readonly<Record<string, { hash: ContentHash; inode?: bigint; mtime?: bigint }>>,
): KnownDirectory {
  const names = ['.', ...Object.keys(files).sort()];
  const stats = new BigInt64Array(names.length * STAT_WIDTH);
  const hashes = Buffer.alloc(names.length * HASH_BYTES);
  names.forEach((one, i) => {
    const file = files[one];
    if (file === undefined) return;
    stats.set(
      [BigInt.asIntN(64, file.inode ?? 0n), 1n, BigInt.asIntN(64, file.mtime ?? 0n), 1n],
      i * STAT_WIDTH,
    );
    hashes.write(file.hash, i * HASH_BYTES, 'hex');
  });
  return {
    tree: 'ab'.repeat(20) as GitId,
    observedNs: 5n,
    mount: false,
    listing: {
      names,
      kinds: Uint8Array.from(names, (_, i) => (i === 0 ? KIND.dir : KIND.file)),
      modes: new Uint16Array(names.length).fill(0o644),
      stats,
    },
    hashes,
    ids: Buffer.alloc(names.length * ID_BYTES),
    records: Buffer.alloc(names.length * GIT_ID_BYTES),
    protections: new Uint8Array(names.length),
  };
}
