import {
  type ContentHash,
  type FsName,
  type GitId,
  hasOwnRecord,
  KIND,
  type ObjectId,
  PROTECTION,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import { decodeRow, encodeRow } from '@bk/store';
import { describe, expect, it } from 'vitest';
import { hashAt, idAt, recordAt } from '../observe/draft.ts';
import { RowBuilder, type RowEntry } from './row-builder.ts';

const ID = '01234567-89ab-7def-8123-456789abcdef' as ObjectId;
const ROW = { tree: '12'.repeat(20) as GitId, observedNs: 99n, mount: true };

function entry(name: string, n: number): RowEntry {
  const stats = BigInt64Array.from({ length: 3 * STAT_WIDTH }, (_, i) => BigInt(i * 100 + n));
  return {
    name: name as FsName,
    kind: KIND.file,
    mode: 0o600 + n,
    stats,
    at: 1,
    hash: n.toString(16).padStart(64, '0') as ContentHash,
    id: ID,
    record: n.toString(16).padStart(40, '0') as GitId,
    protection: PROTECTION.link,
  };
}

describe('a row', () => {
  it('has its entries sorted by bytes, itself first, each with its own columns', () => {
    const row = new RowBuilder();
    row.add(entry('\xff', 1));
    row.add(entry('a', 2));
    row.addFolder('sub' as FsName, 0o755);
    row.add(entry('-', 3));
    row.addFolder('.' as FsName, 0o755);
    row.own(ID, 'ee'.repeat(20) as GitId, 0o700);
    const known = row.finish(ROW);
    expect(known.listing.names).toEqual(['.', '-', 'a', 'sub', '\xff']);
    expect([...known.listing.kinds]).toEqual([KIND.dir, KIND.file, KIND.file, KIND.dir, KIND.file]);
    expect([...known.listing.modes]).toEqual([0o700, 0o603, 0o602, 0o755, 0o601]);
    expect(hasOwnRecord(known)).toBe(true);
    expect(idAt(known, 0)).toBe(ID);
    for (const [k, n] of [
      [1, 3],
      [2, 2],
      [4, 1],
    ] as const) {
      expect(hashAt(known, k)).toBe(entry('', n).hash);
      expect(recordAt(known, k)).toBe(entry('', n).record);
      const columns = known.listing.stats.subarray(k * STAT_WIDTH, (k + 1) * STAT_WIDTH);
      expect([...columns]).toEqual([600, 700, 800, 900, 1000, 1100].map((base) => BigInt(base + n)));
    }
    expect([...known.protections]).toEqual([0, 1, 1, 0, 1]);
    expect(recordAt(known, 3)).toBe('0'.repeat(40));
    expect(known).toMatchObject(ROW);
    expect(encodeRow(decodeRow(encodeRow(known))!)).toEqual(encodeRow(known));
  });

  it('takes entries of another row as they are, or believed no more', () => {
    const first = new RowBuilder();
    first.addFolder('.' as FsName, 0o755);
    for (const [name, n] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ] as const)
      first.add(entry(name, n));
    const before = first.finish(ROW);
    const second = new RowBuilder();
    second.addFolder('.' as FsName, 0o755);
    second.addKnown(before, 3);
    second.addKnown(before, 1, true);
    const known = second.finish(ROW);
    expect(known.listing.names).toEqual(['.', 'a', 'c']);
    expect([1, 2].map((k) => hashAt(known, k))).toEqual([entry('', 1).hash, entry('', 3).hash]);
    const ctimes = [1, 2].map((k) => known.listing.stats[k * STAT_WIDTH + STAT.ctime]);
    expect(ctimes).toEqual([0n, 903n]);
    expect(known.listing.stats[STAT_WIDTH + STAT.mtime]).toBe(801n);
    expect(hasOwnRecord(known)).toBe(false);
  });
});
