import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  type ContentHash,
  type GitId,
  type KnownDirectory,
  type ObjectId,
  type RepoPath,
  STAT,
} from '@bk/core';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexDamaged } from './damage.ts';
import type { DepartedRow } from './departed.ts';
import { IndexDb } from './index-db.ts';
import { directoryOf, plain } from './row.fixture.ts';

const A = 'aa'.repeat(32) as ContentHash;
const B = 'bb'.repeat(32) as ContentHash;
const AB = `${'aa'.repeat(4)}${'bb'.repeat(28)}` as ContentHash;
const HEAD = '12'.repeat(20) as GitId;
const at = (name: string) => name as RepoPath;

let base: string;
let file: string;
const opened: IndexDb[] = [];
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-index-'));
  file = path.join(base, 'index.sqlite');
});
afterEach(() => {
  for (const index of opened.splice(0)) index.close();
  fs.rmSync(base, { recursive: true, force: true });
});

function open(name = file): IndexDb {
  const index = IndexDb.open(name);
  opened.push(index);
  return index;
}

function closed(index: IndexDb): void {
  opened.splice(opened.indexOf(index), 1);
  index.close();
}

/** Another hand in the closed file. */
function tampered(change: (db: Database.Database) => void): void {
  const db = new Database(file);
  change(db);
  db.close();
}

const folder = (hash: ContentHash = A) => directoryOf({ f: { hash } });
const departed: DepartedRow = {
  id: '01234567-89ab-7def-8123-456789abcdef' as ObjectId,
  path: at('gone'),
  type: 'file',
  blake3: A,
  size: 1,
  mtimeNs: 1n,
  mode: 0o644,
  target: undefined,
  record: HEAD,
  inode: 1n,
  commit: HEAD,
  timeSec: 1,
  reason: 'deleted',
  confirmed: false,
  released: false,
};

describe('the index', () => {
  it('keeps everything that is written, for the next process too', () => {
    const index = open();
    expect(index.head).toBeUndefined();
    expect(index.files).toBe(0);
    expect(index.hasPending()).toBe(false);
    index.write({
      head: HEAD,
      files: 3,
      put: [
        [at(''), folder()],
        [at('sub'), folder(B)],
      ],
      pending: [[at('sub'), folder(B)]],
      departed: [departed],
    });
    closed(index);
    const again = open();
    expect(again.head).toBe(HEAD);
    expect(again.files).toBe(3);
    expect(again.paths().sort()).toEqual(['', 'sub']);
    expect(plain(again.known(at('sub')))).toEqual(plain(folder(B)));
    expect(again.known(at('none'))).toBeUndefined();
    expect(again.row(at('none'))).toBeUndefined();
    expect(again.hasPending()).toBe(true);
    expect(plain(again.pending(at('sub')))).toEqual(plain(folder(B)));
    expect(again.pending(at(''))).toBeUndefined();
    expect(again.departed.all()).toEqual([departed]);
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
    again.write({ clearPending: true, remove: [at('sub')], returned: [departed.id] });
    expect(again.hasPending()).toBe(false);
    expect(again.paths()).toEqual(['']);
    expect(again.departed.all()).toEqual([]);
    expect(again.head).toBe(HEAD);
  });

  it('puts what was removed in the same update, and clears pending before it adds', () => {
    const index = open();
    index.write({ put: [[at('a'), folder()]], pending: [[at('old'), folder()]] });
    index.write({
      remove: [at('a')],
      put: [[at('a'), folder(B)]],
      clearPending: true,
      pending: [[at('new'), folder()]],
    });
    expect(plain(index.known(at('a')))).toEqual(plain(folder(B)));
    expect(index.pending(at('old'))).toBeUndefined();
    expect(index.pending(at('new'))).toBeDefined();
  });

  it('says all of an update or none of it', () => {
    const index = open();
    index.write({ head: HEAD, files: 1, put: [[at('a'), folder()]] });
    function* failing(): Generator<[RepoPath, KnownDirectory]> {
      yield [at('b'), folder()];
      throw new Error('killed here');
    }
    const update = { remove: [at('a')], clearPending: true, head: 'ff'.repeat(20) as GitId, files: 9 };
    expect(() => index.write({ ...update, put: failing() })).toThrow('killed here');
    expect(() => index.write({ ...update, put: [[at('c'), folder()]], pending: failing() })).toThrow(
      'killed here',
    );
    function* failingRows(): Generator<DepartedRow> {
      yield departed;
      throw new Error('killed here');
    }
    expect(() => index.write({ ...update, departed: failingRows() })).toThrow('killed here');
    expect([index.head, index.files, index.paths(), index.hasPending()]).toEqual([HEAD, 1, ['a'], false]);
    expect(index.departed.all()).toEqual([]);
  });

  it('finds what is below a folder, by its bytes and in their order', () => {
    const paths = [
      '',
      'A',
      'a',
      'a ',
      'a-b',
      'a.b',
      'a/b',
      'a/b/c',
      'a/\u{1f600}',
      'a/é',
      'a0',
      'aa',
      'é',
      'é/x',
      'é0',
    ].map(at);
    const index = open();
    index.write({ put: paths.map((one) => [one, folder()] as const) });
    const below = (one: string) => [...index.below(at(one))].map(([name]) => name);
    expect(below('a')).toEqual(['a', 'a/b', 'a/b/c', 'a/é', 'a/\u{1f600}']);
    expect(below('a/b')).toEqual(['a/b', 'a/b/c']);
    expect(below('é')).toEqual(['é', 'é/x']);
    expect(below('none')).toEqual([]);
    expect(below('')).toEqual([...paths].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  });

  it('finds below any folder just what lies in it', () => {
    const name = fc.constantFrom('a', 'b', 'a-', 'a0', '%', "'", '_', 'é', '\u{10ffff}');
    const anyPath = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => at(names.join('/')));
    fc.assert(
      fc.property(fc.uniqueArray(anyPath, { maxLength: 12 }), anyPath, (paths, wanted) => {
        const index = IndexDb.open(':memory:');
        index.write({ put: paths.map((one) => [one, folder()] as const) });
        const expected = paths.filter((one) => one === wanted || one.startsWith(`${wanted}/`));
        expect(new Set([...index.below(wanted)].map(([one]) => one))).toEqual(new Set(expected));
        index.close();
      }),
      { numRuns: 60 },
    );
  });

  it('lets a walk be left early', () => {
    const index = open();
    index.write({ put: ['a', 'b', 'c'].map((one) => [at(one), folder()] as const) });
    for (const [one] of index.below(at(''))) if (one === 'b') break;
    index.write({ remove: [at('b')] });
    expect(index.paths().sort()).toEqual(['a', 'c']);
  });

  it('knows who has a content', () => {
    const index = open();
    const late = BigInt(Date.UTC(2300, 0)) * 1_000_000n;
    index.write({
      put: [
        [at(''), directoryOf({ one: { hash: A, inode: 5n, mtime: late }, two: { hash: B } })],
        [at('sub'), directoryOf({ three: { hash: A, inode: (1n << 63n) + 5n, mtime: -7n } })],
      ],
    });
    const wanted = new Set([A, AB, 'ee'.repeat(32) as ContentHash]);
    expect(index.living(wanted)).toEqual(new Set([A]));
    expect(index.owners(wanted)).toEqual(
      new Map([
        [
          A,
          [
            { inode: 5n, mtimeNs: late },
            { inode: (1n << 63n) + 5n, mtimeNs: -7n },
          ],
        ],
      ]),
    );
    expect(index.living(new Set())).toEqual(new Set());
    // The columns of the directory itself are no content.
    expect(index.living(new Set(['00'.repeat(32) as ContentHash]))).toEqual(new Set());
  });

  it('is read by one process while another writes', () => {
    const writer = open();
    writer.write({ head: HEAD, put: [[at('a'), folder()]] });
    const reader = open();
    const walk = reader.below(at(''));
    expect(walk.next().done).toBe(false);
    writer.write({ put: [[at('b'), folder()]], remove: [at('a')] });
    expect([...walk]).toEqual([]);
    expect(reader.paths()).toEqual(['b']);
  });
});

describe('a damaged index', () => {
  /** Everything that reads. */
  const readings: readonly ((index: IndexDb) => unknown)[] = [
    (index) => index.head,
    (index) => index.files,
    (index) => index.paths(),
    (index) => index.known(at('')),
    (index) => index.hasPending(),
    (index) => index.pending(at('')),
    (index) => [...index.below(at(''))],
    (index) => [...index.below(at('d1'))],
    (index) => index.living(new Set([A])),
    (index) => index.departed.all(),
    (index) => index.departed.unreleased(),
    (index) => index.departed.deletedWith(new Set([A]), new Set([at('gone')])),
    (index) => index.departed.markReleased([departed]),
    (index) =>
      index.write({
        head: HEAD,
        put: [[at('new'), folder()]],
        departed: [departed],
        returned: [departed.id],
      }),
  ];

  function filled(): Buffer {
    const index = open();
    const put = Array.from({ length: 60 }, (_, i) => [at(i === 0 ? '' : `d${i}`), folder()] as const);
    index.write({
      head: HEAD,
      put,
      pending: put,
      departed: put.map(([, _], i) => ({
        ...departed,
        timeSec: i,
        commit: `${i}`.padStart(40, '0') as GitId,
      })),
    });
    closed(index);
    return fs.readFileSync(file);
  }

  /** @returns how many readings were refused; any exception but IndexDamaged fails the test */
  function refusals(content: Uint8Array): number {
    IndexDb.discard(file);
    fs.writeFileSync(file, content);
    let refused = 0;
    const orDamaged = (work: () => void) => {
      try {
        work();
      } catch (error) {
        if (!(error instanceof IndexDamaged)) throw error;
        refused++;
      }
    };
    orDamaged(() => {
      const index = open();
      for (const reading of readings) orDamaged(() => void reading(index));
    });
    return refused;
  }

  it.each([
    ['garbage', Buffer.alloc(20_000, 'garbage!')],
    ['zeros', Buffer.alloc(20_000)],
    ['a text', Buffer.from('not a database')],
    ['a header and garbage', Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(9_000, 0xa5)])],
  ])('of %s is refused when it is opened', (_, content) => {
    fs.writeFileSync(file, content);
    expect(() => open()).toThrow(IndexDamaged);
    expect(() => open()).toThrow(expect.objectContaining({ code: 'damaged' }));
    IndexDb.discard(file);
    expect(fs.readdirSync(base)).toEqual([]);
    expect(open().paths()).toEqual([]);
  });

  it('that is empty is a new one', () => {
    fs.writeFileSync(file, '');
    expect(open().head).toBeUndefined();
  });

  it('cut off anywhere is refused, and nothing worse', () => {
    const whole = filled();
    for (let length = 512; length < whole.length; length += 3_333) {
      expect(refusals(whole.subarray(0, length)), `${length} of ${whole.length}`).toBeGreaterThan(0);
    }
  });

  it('with pages of zeros or noise is refused or tells the truth', () => {
    const whole = filled();
    let refused = 0;
    for (let at = 0; at < whole.length; at += 4_096) {
      for (const noise of [0, 0xff, 0x5a]) {
        const damaged = Buffer.from(whole);
        damaged.fill(noise, at, at + 4_096);
        refused += Math.min(1, refusals(damaged));
      }
    }
    expect(refused).toBeGreaterThan(whole.length / 4_096);
  });

  it('with random bytes changed is never another exception', () => {
    const whole = filled();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 }),
        (changes) => {
          const damaged = Buffer.from(whole);
          for (const [place, byte] of changes) damaged[place] = byte;
          refusals(damaged);
          for (const index of opened.splice(0)) index.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('that SQLite would not write to is refused, not told as a disk that cannot be written', () => {
    const damaged = Buffer.from(filled());
    damaged[18] = 3;
    expect(refusals(damaged)).toBe(1);
  });

  it('of another format or without its tables is refused', () => {
    filled();
    tampered((db) => db.exec(`UPDATE meta SET value = '999' WHERE key = 'format'`));
    expect(() => open()).toThrow(/format 999/);
    tampered((db) => db.exec('DROP TABLE meta'));
    expect(() => open()).toThrow(IndexDamaged);
  });

  it('with a damaged row refuses the row alone', () => {
    filled();
    tampered((db) => {
      db.exec(`UPDATE directories SET row = zeroblob(300) WHERE path = 'd7'`);
      db.exec(`UPDATE pending SET row = zeroblob(300) WHERE path = 'd7'`);
    });
    const index = open();
    expect(() => index.known(at('d7'))).toThrow(IndexDamaged);
    expect(() => [...index.below(at(''))]).toThrow(IndexDamaged);
    expect(index.known(at('d8'))?.listing.stats[STAT.size]).toBe(0n);
    expect(index.pending(at('d7'))).toBeUndefined();
    expect(index.pending(at('d8'))).toBeDefined();
  });

  it('with a garbage log beside it is still the same index', () => {
    filled();
    fs.writeFileSync(`${file}-wal`, Buffer.alloc(40_000, 'noise'));
    fs.writeFileSync(`${file}-shm`, Buffer.alloc(32_768, 'noise'));
    expect(open().paths()).toHaveLength(60);
  });

  it('that cannot be opened at all says so', () => {
    fs.mkdirSync(file);
    expect(() => open()).toThrow(expect.objectContaining({ code: 'io' }));
  });
});
