import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ARRIVAL_UNKNOWN, type ContentHash, type GitId, type ObjectId, type RepoPath } from '@bk/core';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DepartedRow } from './departed.ts';
import { IndexDb } from './index-db.ts';

const hash = (digit: string) => digit.repeat(64) as ContentHash;
const git = (n: number) => n.toString(16).padStart(40, '0') as GitId;
const id = (n: number) => `00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}` as ObjectId;

let index: IndexDb;
beforeEach(() => {
  index = IndexDb.open(':memory:');
});
afterEach(() => index.close());

function row(n: number, changes: Partial<DepartedRow> = {}): DepartedRow {
  return {
    id: id(n),
    path: `file ${n}` as RepoPath,
    type: 'file',
    blake3: hash('a'),
    size: 1_000 + n,
    mtimeNs: 1_700_000_000_123_456_789n,
    mode: 0o644,
    target: undefined,
    record: git(n),
    inode: BigInt(n),
    commit: git(900),
    timeSec: 1_700_000_000,
    reason: 'deleted',
    confirmed: false,
    released: false,
    ...changes,
  };
}
const written = (...rows: DepartedRow[]) => index.write({ departed: rows });

describe('what left the head', () => {
  it.each([
    ['nanoseconds', { mtimeNs: 1_699_999_999_999_999_999n }],
    ['a time before 1970', { mtimeNs: -1_234_567_890_123_456_789n }],
    ['a time beyond 2262', { mtimeNs: BigInt(Date.UTC(2446, 4, 10)) * 1_000_000n + 999_999_999n }],
    [
      'a time beyond what any file system keeps',
      { mtimeNs: BigInt(Date.UTC(9999, 11, 31)) * 1_000_000n + 1n },
    ],
    ['an inode above 2^63', { inode: (1n << 64n) - 2n }],
    ['a large file', { size: 2 ** 50 + 1 }],
    ['a folder', { type: 'dir', blake3: undefined, size: 0 }],
    ['a link', { type: 'symlink', target: 'nach %FF über\n' }],
    ['an odd path', { path: "a'b/%0A/😀\u0301" as RepoPath }],
    ['a confirmed deletion', { confirmed: true, released: true }],
    ['a replaced version', { reason: 'replaced' }],
    ['a mode', { mode: 0o7777 }],
    ['when it came here', { arrivedSec: 1_800_000_000 }],
    ['that it came here, nobody knows when', { arrivedSec: ARRIVAL_UNKNOWN }],
    ['what the disk made of it', { seen: { mtimeNs: -1_700_000_000_000_000_001n, mode: 0o777 } }],
  ] as const)('keeps %s', (_, changes) => {
    const one = row(1, changes as Partial<DepartedRow>);
    written(one);
    expect(index.departed.all()).toEqual([one]);
  });

  it('keeps any time and any inode', () => {
    const int = fc.bigInt(-(1n << 66n), 1n << 66n);
    fc.assert(
      fc.property(int, fc.bigInt(0n, (1n << 64n) - 1n), (mtimeNs, inode) => {
        const one = row(1, { mtimeNs, inode });
        written(one);
        expect(index.departed.all()).toEqual([one]);
      }),
    );
  });

  it('takes an inode in its signed spelling too', () => {
    written(row(1, { inode: -2n }));
    expect(index.departed.all()[0]?.inode).toBe((1n << 64n) - 2n);
  });

  it('says each departure once, the last word counts', () => {
    written(row(1), row(1, { confirmed: true }), row(1, { commit: git(901) }), row(1, { record: git(77) }));
    expect(index.departed.all()).toHaveLength(3);
    expect(index.departed.all().filter(({ confirmed }) => confirmed)).toHaveLength(1);
  });

  it('notes once when something came here', () => {
    const rows = [row(1), row(2, { arrivedSec: ARRIVAL_UNKNOWN }), row(3, { arrivedSec: 5 })];
    written(...rows);
    index.departed.noteArrivals(7);
    index.departed.noteArrivals(8);
    expect(index.departed.all()).toEqual([rows[0], row(2, { arrivedSec: 7 }), rows[2]]);
  });

  it('is kept in an index that an earlier bk made', () => {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-departed-'));
    const file = path.join(dir, 'index.sqlite');
    try {
      IndexDb.open(file).close();
      const db = new Database(file);
      const names = db.prepare<[], string>(`SELECT name FROM pragma_table_info('departed')`).pluck().all();
      for (const name of names.slice(names.indexOf('released') + 1))
        db.exec(`ALTER TABLE departed DROP COLUMN ${name}`);
      const blob = `x'${git(1)}'`;
      db.exec(`INSERT INTO departed VALUES ('${id(1)}', 'a', 'file', x'${hash('a')}', 3, '5', 420, NULL, ${blob}, 7,
        x'${git(900)}', 9, 'deleted', 1, 0)`);
      db.close();
      const open = [IndexDb.open(file), IndexDb.open(file)];
      const old = { path: 'a' as RepoPath, size: 3, mtimeNs: 5n, inode: 7n, timeSec: 9, confirmed: true };
      const now = row(2, { seen: { mtimeNs: 1n, mode: 0o700 } });
      open[0]!.write({ departed: [now] });
      expect(open[1]!.departed.all()).toEqual([row(1, old), now]);
      for (const one of open) one.close();
    } finally {
      fs.rmSync(dir, { recursive: true });
    }
  });

  it('comes in a definite order', () => {
    const rows = [
      row(3, { path: 'b' as RepoPath }),
      row(2, { path: 'a' as RepoPath, timeSec: 9 }),
      row(1, { path: 'a' as RepoPath, timeSec: 8 }),
      row(4, { path: 'a' as RepoPath, timeSec: 9 }),
    ];
    written(...rows);
    expect(index.departed.all().map((one) => one.id)).toEqual([id(1), id(2), id(4), id(3)]);
  });

  it('forgets the deletion of an object that is back, not its replaced versions', () => {
    const old = row(1, { reason: 'replaced', record: git(50) });
    written(row(1), old, row(2));
    index.departed.forget(id(1));
    expect(index.departed.all()).toEqual([old, row(2)]);
    index.write({ returned: [id(2)], departed: [row(1)] });
    expect(index.departed.all()).toEqual([row(1), old]);
  });

  it('deleted again in the update in which it came back is deleted', () => {
    written(row(1, { commit: git(800) }));
    index.write({ returned: [id(1)], departed: [row(1)] });
    expect(index.departed.all()).toEqual([row(1)]);
  });

  it('takes versions off the list, before others are put on it', () => {
    written(row(1), row(2), row(3));
    index.write({ withdrawn: [row(1), row(2)], departed: [row(2, { reason: 'replaced' })] });
    expect(index.departed.all()).toEqual([row(2, { reason: 'replaced' }), row(3)]);
  });

  it('tells what commits let go of of one object, not what no commit ever had', () => {
    const folder = row(1, { type: 'dir', blake3: undefined, record: git(60) });
    const old = row(1, { reason: 'replaced', record: git(50), released: true });
    const never = row(1, { blake3: hash('b'), commit: 'b'.repeat(40) as GitId, record: git(51) });
    written(row(1), row(2), folder, old, never);
    expect(index.departed.uncommitted()).toEqual([never]);
    expect(new Set(index.departed.committed(id(1)))).toEqual(new Set([row(1), folder, old]));
    expect(index.departed.committed(id(4))).toEqual([]);
    index.departed.becomeArrivals();
    const arrived = new Set(
      index.departed.all().flatMap((one) => (one.arrivedSec === ARRIVAL_UNKNOWN ? one.record : [])),
    );
    expect(arrived).toEqual(new Set([row(1), row(2), folder, old].map(({ record }) => record)));
  });

  it('marks just those that were released', () => {
    const again = row(1, { commit: git(901) });
    written(row(1), again, row(2));
    index.departed.markReleased([row(1)]);
    expect(index.departed.unreleased()).toEqual([again, row(2)]);
    expect(index.departed.all().find(({ released }) => released)).toEqual(row(1, { released: true }));
  });

  it('finds deleted objects by content and deleted folders by path', () => {
    const folder = row(5, { type: 'dir', blake3: undefined, path: 'f' as RepoPath });
    written(
      row(1),
      row(2, { blake3: hash('b') }),
      row(3, { reason: 'replaced' }),
      row(4, { path: 'f' as RepoPath, blake3: hash('c') }),
      folder,
      row(6, { blake3: hash('b'), released: true }),
    );
    const ids = (hashes: string[], folders: string[]) =>
      index.departed
        .deletedWith(new Set(hashes.map(hash)), new Set(folders as RepoPath[]))
        .map((one) => one.id);
    expect(ids(['a'], [])).toEqual([id(1)]);
    expect(ids(['b', 'a'], [])).toEqual([id(2), id(6), id(1)]);
    expect(ids([], ['f', 'file 1'])).toEqual([id(5)]);
    expect(ids(['d'], ['none'])).toEqual([]);
    expect(ids([], [])).toEqual([]);
  });
});
