import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { GitId } from './ids.ts';
import {
  expectedNames,
  GIT_ID_BYTES,
  HASH_BYTES,
  hasAbsent,
  hasOwnRecord,
  ID_BYTES,
  isWhollyAbsent,
  KIND,
  type KnownDirectory,
  type Listing,
  PROTECTION,
  STAT,
  STAT_WIDTH,
  type Trust,
  timeNs,
  vouch,
} from './listing.ts';

interface Entry {
  readonly kind: number;
  readonly mode: number;
  readonly stats: readonly bigint[];
}
type Folder = ReadonlyMap<string, Entry>;

const OBSERVED = 1_000_000n;
const GRAIN = 100n;
const TRUST: Trust = { stats: true, inodes: true, grainNs: GRAIN };

/** Stats in STAT's order, times long settled. */
function file(changes: Partial<Record<keyof typeof STAT, bigint>> = {}, kind: number = KIND.file): Entry {
  const all = { inode: 7n, size: 3n, mtime: 500n, ctime: 600n, birth: 400n, links: 1n, ...changes };
  return { kind, mode: 0o644, stats: Object.keys(STAT).map((name) => all[name as keyof typeof STAT]) };
}

function listing(folder: Folder): Listing {
  const own = folder.get('.') ?? { kind: KIND.dir, mode: 0o755, stats: file().stats };
  const others = [...folder].filter(([name]) => name !== '.').sort(([a], [b]) => (a < b ? -1 : 1));
  const entries: [string, Entry][] = [['.', own], ...others];
  return {
    names: entries.map(([name]) => name),
    kinds: Uint8Array.from(entries, ([, { kind }]) => kind),
    modes: Uint16Array.from(entries, ([, { mode }]) => mode),
    stats: BigInt64Array.from(entries.flatMap(([, { stats }]) => stats)),
  };
}

function known(folder: Folder, observedNs = OBSERVED): KnownDirectory {
  const seen = listing(folder);
  const count = seen.names.length;
  return {
    tree: '0'.repeat(40) as GitId,
    observedNs,
    mount: false,
    listing: seen,
    hashes: new Uint8Array(count * HASH_BYTES),
    ids: new Uint8Array(count * ID_BYTES),
    records: new Uint8Array(count * GIT_ID_BYTES),
    protections: new Uint8Array(count),
  };
}

const one = (entry: Entry): Folder => new Map([['a', entry]]);
const verdict = (seen: Entry, before: Entry, trust = TRUST) =>
  vouch(listing(one(seen)), known(one(before)), trust).vouched[1];

describe('timeNs', () => {
  it('reads a column as the time it was made from, from 1900 to 2470', () => {
    const least = BigInt(Date.UTC(1900, 0, 1)) * 1_000_000n;
    const most = BigInt(Date.UTC(2470, 11, 31, 23, 59, 59)) * 1_000_000n + 999_999_999n;
    for (let year = 1900; year <= 2470; year++) {
      for (const ms of [Date.UTC(year, 0, 1), Date.UTC(year, 11, 31, 23, 59, 59)]) {
        const time = BigInt(ms) * 1_000_000n + 123_456_789n;
        expect(timeNs(BigInt64Array.of(time)[0]!)).toBe(time);
      }
    }
    fc.assert(
      fc.property(fc.bigInt(least, most), (time) => {
        expect(timeNs(BigInt.asIntN(64, time))).toBe(time);
      }),
    );
  });
});

describe('vouch', () => {
  it('believes what did not change', () => {
    const before = new Map([
      ['a', file()],
      ['b', file({ inode: 8n }, KIND.symlink)],
      ['sub', file({}, KIND.dir)],
    ]);
    expect(vouch(listing(before), known(before), TRUST)).toEqual({
      known: Int32Array.of(0, 1, 2, 3),
      vouched: Uint8Array.of(1, 1, 1, 1),
      same: true,
    });
  });

  test.each([
    ['size', { size: 4n }],
    ['mtime', { mtime: 501n }],
    ['ctime', { ctime: 601n }],
    ['inode', { inode: 9n }],
    ['birth time', { birth: 401n }],
  ] as const)('another %s is not believed', (_, changes) => {
    expect(verdict(file(changes), file())).toBe(0);
  });

  it('does not care for the number of links', () => expect(verdict(file({ links: 2n }), file())).toBe(1));

  it('does not believe another mode or kind', () => {
    expect(verdict({ ...file(), mode: 0o600 }, file())).toBe(0);
    expect(verdict(file({}, KIND.symlink), file())).toBe(0);
    expect(verdict(file({}, KIND.dir), file())).toBe(0);
    expect(verdict(file(), file({}, KIND.dir))).toBe(0);
  });

  it('does not compare inodes and birth times where they do not last', () => {
    const trust = { ...TRUST, inodes: false };
    expect(verdict(file({ inode: 9n, birth: 1n }), file(), trust)).toBe(1);
    expect(verdict(file({ inode: 9n, ctime: 601n }), file(), trust)).toBe(0);
  });

  it.each([
    [OBSERVED - GRAIN, 1],
    [OBSERVED - GRAIN + 1n, 0],
    [OBSERVED, 0],
    [OBSERVED + 1_000n, 0],
    // Beyond 2262 the column is negative: later than now all the same.
    [BigInt.asIntN(64, BigInt(Date.UTC(2300, 0)) * 1_000_000n), 0],
    [BigInt(Date.UTC(1950, 0)) * 1_000_000n, 1],
  ])('a change time of %d is racy or not', (ctime, believed) => {
    expect(verdict(file({ ctime }), file({ ctime }))).toBe(believed);
  });

  it('believes no entry that was never looked at', () => {
    const never = file({ inode: 0n, size: 0n, mtime: 0n, ctime: 0n, birth: 0n, links: 0n });
    expect(verdict(never, never)).toBe(0);
    expect(verdict(never, never, { ...TRUST, inodes: false })).toBe(0);
  });

  it('believes folders by their kind alone, the folder itself by its mode', () => {
    const before = new Map([['sub', file({ inode: 1n }, KIND.dir)]]);
    const after = new Map([['sub', { ...file({ inode: 2n, ctime: 9n }, KIND.dir), mode: 0o700 }]]);
    expect(vouch(listing(after), known(before), TRUST).same).toBe(true);
    const closed = new Map([['.', { kind: KIND.dir, mode: 0o700, stats: file().stats }]]);
    const open = vouch(listing(closed), known(new Map()), TRUST);
    expect(open).toEqual({ known: Int32Array.of(0), vouched: Uint8Array.of(0), same: false });
  });

  it('believes no file at all without `stats`, and folders still', () => {
    const folder = new Map([
      ['a', file()],
      ['l', file({}, KIND.symlink)],
      ['sub', file({}, KIND.dir)],
    ]);
    const { vouched, same } = vouch(listing(folder), known(folder), { ...TRUST, stats: false });
    expect([...vouched]).toEqual([1, 0, 0, 1]);
    expect(same).toBe(false);
  });

  it('is not `same` if a known entry is missing or a new one there', () => {
    const both = new Map([
      ['a', file()],
      ['b', file()],
    ]);
    expect(vouch(listing(one(file())), known(both), TRUST).same).toBe(false);
    expect(vouch(listing(both), known(one(file())), TRUST)).toMatchObject({
      known: Int32Array.of(0, 1, -1),
      same: false,
    });
  });

  describe('of entries that are absent by design', () => {
    const all = new Map([
      ['a', file()],
      ['gone', file({ inode: 0n, ctime: 0n, birth: 0n, links: 0n })],
      ['sub', file({}, KIND.dir)],
    ]);
    const partly = (...absent: number[]): KnownDirectory => {
      const row = known(all);
      for (const k of absent) row.protections[k] = PROTECTION.absent;
      return row;
    };
    const without = (...names: string[]) =>
      listing(new Map([...all].filter(([name]) => !names.includes(name))));
    const withMode = (mode: number) =>
      listing(
        new Map(
          [...all, ['.', { ...file({}, KIND.dir), mode }] as const].filter(([name]) => name !== 'gone'),
        ),
      );

    test.each<[string, Listing, number[], boolean, number[]]>([
      ['not there', without('gone'), [2], true, [1, 1, 1]],
      ['there all the same', listing(all), [2], false, [1, 1, 0, 1]],
      ['a folder that is not there', without('gone', 'sub'), [2, 3], true, [1, 1]],
      ['a folder that is there', without('gone'), [2, 3], true, [1, 1, 1]],
      ['beside something missing', without('gone', 'a'), [2], false, [1, 1]],
      ['beside a missing folder', without('gone', 'sub'), [2], false, [1, 1]],
      ['of nothing but these', without('a', 'gone', 'sub'), [1, 2, 3], true, [1]],
      ['its own record, as it was recorded', withMode(0o755), [0, 2], false, [0, 1, 1]],
      ['its own record, with another mode', withMode(0o700), [0, 2], true, [1, 1, 1]],
    ])('%s', (_, seen, absent, same, vouched) => {
      const told = vouch(seen, partly(...absent), TRUST);
      expect([told.same, [...told.vouched]]).toEqual([same, vouched]);
    });

    it('they are not expected, and a folder of nothing else is absent as a whole', () => {
      expect(expectedNames(partly())).toEqual(['a', 'gone', 'sub']);
      expect(expectedNames(partly(0, 2))).toEqual(['a', 'sub']);
      expect([hasAbsent(partly()), hasAbsent(partly(2))]).toEqual([false, true]);
      expect([isWhollyAbsent(partly(2)), isWhollyAbsent(partly(1, 2, 3))]).toEqual([false, true]);
      expect(isWhollyAbsent(known(new Map()))).toBe(false);
      const own = partly(1, 2, 3);
      own.records[0] = 1;
      expect([hasOwnRecord(own), isWhollyAbsent(own)]).toEqual([true, false]);
      own.protections[0] = PROTECTION.absent;
      expect(isWhollyAbsent(own)).toBe(true);
    });
  });

  it('agrees with a comparison by name, whatever the folders', () => {
    const column = (...values: bigint[]) => fc.constantFrom(...values);
    const entry = fc.record({
      kind: fc.constantFrom(KIND.file, KIND.dir, KIND.symlink, KIND.other),
      mode: fc.constantFrom(0o644, 0o755),
      stats: fc.tuple(
        column(1n, 2n),
        column(0n, 3n),
        column(500n, -5n),
        column(0n, 600n, OBSERVED - GRAIN, OBSERVED - GRAIN + 1n),
        column(400n, 0n),
        column(1n, 2n),
      ),
    });
    const name = fc.constantFrom(' ', '!', '-', '.bk', '..a', '0', 'a', 'a-', 'a\xff', '\x80');
    const folder = fc.dictionary(name, entry, { maxKeys: 8 }).map((all) => new Map(Object.entries(all)));
    const trusted = fc.record({ stats: fc.boolean(), inodes: fc.boolean(), grainNs: fc.constant(GRAIN) });
    fc.assert(
      fc.property(folder, folder, fc.boolean(), trusted, (mine, theirs, mixed, trust) => {
        const before: Folder = mixed ? new Map([...theirs, ...[...mine].slice(0, 4)]) : theirs;
        const seen = listing(mine);
        const index = known(before);
        const result = vouch(seen, index, trust);
        const expected = seen.names.map((entryName, i) => naive(entryName, i, { seen, index, trust }));
        expect([...result.known]).toEqual(expected.map(([place]) => place));
        expect([...result.vouched]).toEqual(expected.map(([, vouched]) => vouched));
        const all = expected.every(([, vouched]) => vouched === 1);
        expect(result.same).toBe(all && seen.names.length === index.listing.names.length);
      }),
      { numRuns: 2_000 },
    );
  });
});

interface Case {
  readonly seen: Listing;
  readonly index: KnownDirectory;
  readonly trust: Trust;
}

/** SPEC 2.2 and docs/architecture.md once more, by looking names up. */
function naive(name: string, i: number, { seen, index, trust }: Case): [number, number] {
  const k = index.listing.names.indexOf(name);
  if (k < 0) return [k, 0];
  const is = (entry: Listing, at: number) => ({
    kind: entry.kinds[at],
    mode: entry.modes[at],
    stats: [...entry.stats.subarray(at * STAT_WIDTH, (at + 1) * STAT_WIDTH)],
  });
  const now = is(seen, i);
  const was = is(index.listing, k);
  if (now.kind !== was.kind) return [k, 0];
  if (now.kind === KIND.dir) return [k, i > 0 || now.mode === was.mode ? 1 : 0];
  const columns = trust.inodes
    ? [STAT.inode, STAT.birth, STAT.size, STAT.mtime, STAT.ctime]
    : [STAT.size, STAT.mtime, STAT.ctime];
  const ctime = was.stats[STAT.ctime]!;
  const believed =
    trust.stats &&
    now.mode === was.mode &&
    columns.every((at) => now.stats[at] === was.stats[at]) &&
    ctime !== 0n &&
    ctime <= index.observedNs - trust.grainNs;
  return [k, believed ? 1 : 0];
}
