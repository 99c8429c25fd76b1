import zlib from 'node:zlib';
import type { GitId } from '@bk/core';
import type { PackLimits } from '@bk/store';
import {
  appending,
  type Entry,
  entry,
  Forge,
  headerOf,
  idDelta,
  lengthOf,
  nameOf,
  number,
  offsetDelta,
  packOf,
  sealed,
} from './forge.ts';
import { FILE, type Forged, MAIN, NOWHERE, RECORD, rec, type Sent, treeOf } from './hostile-history.ts';

/** A right history whose bytes are changed afterwards. */
function bytes(change: (pack: Buffer) => Buffer): () => Sent {
  return () => {
    const sent = treeOf((forge) => forge.tree([FILE, 'a', forge.record()]))();
    return { ...sent, pack: change(sent.pack) };
  };
}

/** A right history and one more entry, or other entries in its place. */
function entries(
  change: (entries: Entry[], tip: GitId) => Entry[],
  limits?: Partial<PackLimits>,
): () => Sent {
  return () => {
    const forge = new Forge();
    const tip = forge.commit(forge.tree([FILE, 'a', forge.record()]));
    return {
      pack: packOf(change(forge.entries, tip)),
      tips: [{ name: MAIN, id: tip }],
      ...(limits && { limits }),
    };
  };
}

/** A chain of deltas, each on the one before. */
function chain(length: number): Entry[] {
  let body: Buffer = Buffer.from(RECORD);
  const made: Entry[] = [entry('blob', body)];
  for (let i = 0; i < length; i++) {
    const next = Buffer.concat([body, Buffer.from('x')]);
    made.push(idDelta(nameOf('blob', body), appending(body, Buffer.from('x'))));
    body = next;
  }
  return made;
}

/** The pack itself, its objects and its deltas. */
export const FORGED_PACKS: readonly Forged[] = [
  // objects that do not belong
  [
    'S15',
    'more than was asked for',
    entries((all) => [...all, entry('blob', Buffer.from(rec({ size: 7 })))]),
    /nothing in it refers/,
  ],
  [
    'S16',
    'a tag',
    entries((all) => [...all, entry('tag', Buffer.from('x'))]),
    /kind that a history does not have/,
  ],
  // the pack itself (S15, t5303)
  ['T03', 'cut off', bytes((pack) => pack.subarray(0, pack.length - 30)), /cut off, or changed/],
  ['T03', 'a bit flipped', bytes((pack) => flipped(pack, 40)), /cut off, or changed/],
  ['T10', 'nothing', bytes(() => Buffer.alloc(0)), /cut off/],
  ['T10', 'noise before it', bytes((pack) => Buffer.concat([Buffer.from('Welcome!\n'), pack])), /no pack/],
  [
    'T03',
    'extra bytes behind it',
    bytes((pack) => Buffer.concat([pack, Buffer.from('x')])),
    /cut off, or changed/,
  ],
  [
    't5303',
    'extra bytes before the checksum',
    bytes((pack) => sealed(Buffer.concat([pack.subarray(0, -20), Buffer.alloc(9)]))),
    /behind its last object/,
  ],
  [
    't5303',
    'version 3',
    bytes((pack) => sealed(Buffer.concat([Buffer.from('PACK\0\0\0\x03', 'latin1'), pack.subarray(8, -20)]))),
    /version 2/,
  ],
  ['T14', 'a count of 2^32', bytes((pack) => counted(pack, 0xffffffff)), /claims 4294967295 objects/],
  ['T14', 'a count of 10,000,000', bytes((pack) => counted(pack, 10_000_000)), /more than it can hold/],
  ['t5303', 'a count too small', bytes((pack) => counted(pack, 2)), /behind its last object/],
  ['t5303', 'a count too large', bytes((pack) => counted(pack, 4)), /./],
  [
    'T14',
    'a pack that is too large',
    () => ({ ...bytes((pack) => pack)(), limits: { pack: 100 } }),
    /more than 100 bytes/,
  ],
  [
    'S15',
    'an object of 400 GB',
    entries((all) => [{ ...all[0]!, size: 400 * 2 ** 30 }, ...all.slice(1)]),
    /too large/,
  ],
  [
    'S15',
    'a record of 100 MB',
    entries((all) => [entry('blob', Buffer.alloc(100 << 20)), ...all]),
    /blob claims/,
  ],
  [
    'S15',
    'a commit of 20 MB',
    entries((all) => [entry('commit', Buffer.alloc(20 << 20)), ...all]),
    /commit claims/,
  ],
  [
    'S15',
    'zlib 1000:1, many times',
    entries(
      (all) => [
        ...Array.from({ length: 100 }, (_, n) => entry('blob', Buffer.alloc(3 << 20, `${n} `))),
        ...all,
      ],
      { expanded: 64 << 20, expansion: 100 },
    ),
    /out of all proportion/,
  ],
  [
    't5303',
    'a size that is too small',
    entries((all) => [{ ...all[0]!, size: all[0]!.size - 1 }, ...all.slice(1)]),
    /compressed data|size/,
  ],
  [
    't5303',
    'a size that is too large',
    entries((all) => [{ ...all[0]!, size: all[0]!.size + 1 }, ...all.slice(1)]),
    /size|cut off/,
  ],
  [
    't5303',
    'data that are no zlib stream',
    entries((all) => [{ ...all[0]!, data: Buffer.alloc(200, 7) }, ...all.slice(1)]),
    /cannot be read/,
  ],
  [
    't5303',
    'a wrong zlib checksum',
    entries((all) => [{ ...all[0]!, data: flipped(all[0]!.data, all[0]!.data.length - 1) }, ...all.slice(1)]),
    /cannot be read/,
  ],
  [
    't5303',
    'a stored block with a wrong checksum',
    entries((all) => {
      const data = zlib.deflateSync(Buffer.from(RECORD), { level: 0 });
      return [{ type: 3, size: RECORD.length, data: flipped(data, data.length - 1) }, ...all];
    }),
    /cannot be read/,
  ],
  ['t5303', 'an object twice', entries((all) => [...all, all[0]!]), /twice/],
  ['t5303', 'an unknown kind', entries((all) => [{ ...all[0]!, type: 5 }, ...all.slice(1)]), /kind/],
  ['t5303', 'kind 0', entries((all) => [{ ...all[0]!, type: 0 }, ...all.slice(1)]), /kind/],
  // deltas
  [
    't5303',
    'a delta on nothing',
    entries((all) => [...all, idDelta(NOWHERE, appending(Buffer.alloc(9), Buffer.from('x')))]),
    /base of a delta is not in it/,
  ],
  [
    't5303',
    'a delta on itself',
    entries((all) => [...all, offsetDelta(0, appending(Buffer.alloc(9), Buffer.from('x')))]),
    /base of a delta/,
  ],
  [
    't5303',
    'a delta before the pack',
    entries((all) => [...all, offsetDelta(100_000, appending(Buffer.alloc(9), Buffer.from('x')))]),
    /base of a delta/,
  ],
  [
    't5303',
    'a delta into the middle of an object',
    entries((all) => [
      ...all,
      offsetDelta(lengthOf(all.at(-1)!) - 1, appending(Buffer.alloc(9), Buffer.from('x'))),
    ]),
    /base of a delta/,
  ],
  [
    't5303',
    'two deltas on each other',
    entries((all) => [
      ...all,
      idDelta('2'.repeat(40) as GitId, Buffer.from([1, 1, 1, 1])),
      idDelta('3'.repeat(40) as GitId, Buffer.from([1, 1, 1, 1])),
    ]),
    /base of a delta is not in it/,
  ],
  [
    'CVE-2022-41903',
    'a delta that copies from outside',
    entries((all) => [...all, offsetDelta(lengthOf(all.at(-1)!), Buffer.from([3, 3, 0x91, 200, 3]))]),
    /does not fit/,
  ],
  [
    'S15',
    'a delta to 100 GB',
    entries((all) => [
      ...all,
      offsetDelta(
        lengthOf(all.at(-1)!),
        Buffer.concat([number(240), number(100 * 2 ** 30), Buffer.from([1, 65])]),
      ),
    ]),
    /delta claims/,
  ],
  [
    'S15',
    'deltas to 128 MiB, many times',
    entries((all) => {
      const base = entry('tree', Buffer.alloc(1 << 20));
      const huge = Array.from({ length: 20 }, (_, n) =>
        idDelta(nameOf('tree', Buffer.alloc(1 << 20)), growing(1 << 20, 127 << 20, n)),
      );
      return [base, ...huge, ...all];
    }),
    /./,
  ],
  ['S15', 'a chain of 10,000 deltas', () => ({ pack: packOf(chain(10_000)), tips: [] }), /too deep/],
  [
    'S15',
    'a chain one too long',
    () => ({ pack: packOf(chain(6)), tips: [], limits: { deltaDepth: 5 } }),
    /too deep/,
  ],
  [
    't5303',
    'a header that never ends',
    entries((all) => [...all, { type: 3, size: 0, data: Buffer.alloc(60, 0xff) }]),
    /./,
  ],
  [
    't5303',
    'only headers',
    () => ({
      pack: packOf([], {
        count: 3,
        extra: Buffer.concat([headerOf({ type: 3, size: 40 }), Buffer.alloc(30)]),
      }),
      tips: [],
    }),
    /./,
  ],
];

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
}

function counted(pack: Buffer, count: number): Buffer {
  const body = Buffer.from(pack.subarray(0, -20));
  body.writeUInt32BE(count, 8);
  return sealed(body);
}

/** A delta that copies the same MiB again and again. */
function growing(base: number, size: number, seed: number): Buffer {
  const copies = Array.from({ length: Math.floor((size - 1) / 0xffffff) + 1 }, () => [
    0xf0, 0, 0, 0x10,
  ]).flat();
  return Buffer.concat([number(base), number(size), Buffer.from([1, seed]), Buffer.from(copies)]);
}
