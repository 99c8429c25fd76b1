import { describe, expect, test } from 'vitest';
import { fakeHash } from './disk.fixture.ts';
import { type ContentHash, type GitId, newObjectId } from './ids.ts';
import type { RepoPath } from './path.ts';
import { type DepartedVersion, decideRecovery, type Live, type RecoverDecision } from './recoverable.ts';

function version(path: string, content: string, timeMs: number, more: Partial<DepartedVersion> = {}) {
  const made: DepartedVersion = {
    path: path as RepoPath,
    id: newObjectId(timeMs, new Uint8Array(10)),
    type: 'file',
    blake3: fakeHash(content),
    size: content.length,
    mtimeNs: 0n,
    mode: 0o644,
    departedIn: String(timeMs).padStart(40, '0') as GitId,
    timeMs,
    confirmed: false,
    reason: 'deleted',
  };
  return { ...made, ...more };
}

interface Situation {
  readonly versions: readonly DepartedVersion[];
  readonly wanted?: readonly string[];
  readonly live?: Readonly<Record<string, string>>;
  readonly lost?: readonly string[];
  readonly replaced?: boolean;
  readonly to?: string;
}

function decide({ versions, wanted, live, lost, replaced, to }: Situation): RecoverDecision<string> {
  const there = new Map<string, Live>();
  for (const [path, content] of Object.entries(live ?? {})) {
    there.set(path, content === 'DIR' ? { type: 'dir' } : { type: 'file', blake3: fakeHash(content) });
  }
  const unobtainable = new Set<ContentHash>((lost ?? []).map(fakeHash));
  return decideRecovery({
    versions,
    wanted: (wanted ?? ['']) as RepoPath[],
    replaced: replaced ?? false,
    live: (path) => there.get(path),
    source: (content) => (unobtainable.has(content) ? undefined : `net/${content.slice(0, 4)}`),
    date: '2026-10-01',
    ...(to === undefined ? {} : { to: to as RepoPath }),
  });
}

/** "source path: time of the version > target". */
function told(decision: RecoverDecision<string>): string[] {
  return decision.recoveries.map((recovery) => {
    const { path, timeMs } = recovery.version;
    return `${path}@${timeMs} > ${recovery.path}`;
  });
}

describe('decideRecovery', () => {
  test('takes the latest version of each wanted path, with its source', () => {
    const versions = [
      version('d/a', 'v1', 1),
      version('d/a', 'v2', 2),
      version('b', 'x', 1),
      version('c', 'y', 1),
    ];
    const decision = decide({ versions, wanted: ['d', 'c'] });
    expect(told(decision)).toEqual(['c@1 > c', 'd/a@2 > d/a']);
    expect(decision.recoveries[1]!.source).toBe(`net/${fakeHash('v2').slice(0, 4)}`);
    expect(told(decide({ versions: [...versions].reverse() }))).toEqual([
      'b@1 > b',
      'c@1 > c',
      'd/a@2 > d/a',
    ]);
  });

  test('a replaced content comes back if its file is named, or if asked for', () => {
    const versions = [version('d/a', 'old', 1, { reason: 'replaced' })];
    const live = { 'd/a': 'now' };
    const beside = ['d/a@1 > d/a (recovered 2026-10-01)'];
    expect(told(decide({ versions, live, wanted: ['d/a'] }))).toEqual(beside);
    expect(told(decide({ versions, live, wanted: ['d'] }))).toEqual([]);
    expect(told(decide({ versions, live, wanted: ['d'], replaced: true }))).toEqual(beside);
  });

  test('never goes over anything: files, folders, and what this recovery itself brings', () => {
    const live = { 'a.txt': 'other', 'a (recovered 2026-10-01).txt': 'third', b: 'DIR' };
    const versions = [
      version('a.txt', 'mine', 1),
      version('b', 'file', 1),
      version('c', 'file', 1),
      version('c/x', 'in a folder', 2),
    ];
    expect(told(decide({ versions, live }))).toEqual([
      'a.txt@1 > a (recovered 2026-10-01) 2.txt',
      'b@1 > b (recovered 2026-10-01)',
      'c@1 > c',
      'c/x@2 > c (recovered 2026-10-01)/x',
    ]);
  });

  test('where a file took the place of a folder, all of the folder comes back together beside it', () => {
    const versions = [version('d/a', '1', 1), version('d/e/b', '2', 1)];
    expect(told(decide({ versions, live: { d: 'a file' } }))).toEqual([
      'd/a@1 > d (recovered 2026-10-01)/a',
      'd/e/b@1 > d (recovered 2026-10-01)/e/b',
    ]);
  });

  test('run again it does nothing: what came back is there, at its path or beside', () => {
    const versions = [version('a', 'mine', 1), version('b', 'x', 1), version('e', '', 1, { type: 'dir' })];
    const live = { a: 'other', 'a (recovered 2026-10-01)': 'mine', b: 'x', e: 'DIR' };
    const decision = decide({ versions, live });
    expect(told(decision)).toEqual([]);
    expect(decision.present.map((entry) => entry.path)).toEqual(['a (recovered 2026-10-01)', 'b', 'e']);
    expect(decision.failed).toEqual([]);
  });

  test('empty folders, symlinks and empty files need no source', () => {
    const versions = [
      version('e', '', 1, { type: 'dir' }),
      version('l', '->x', 1, { type: 'symlink', target: '->x' }),
      version('z', '', 1),
    ];
    const decision = decide({ versions, lost: ['', '->x'] });
    expect(told(decision)).toEqual(['e@1 > e', 'l@1 > l', 'z@1 > z']);
    expect(decision.recoveries.some((recovery) => 'source' in recovery)).toBe(false);
  });

  test('a content nobody has is a failure that names the latest earlier version to be had', () => {
    const versions = [version('a', 'v1', 1), version('a', 'v2', 2), version('a', 'v3', 3)];
    const decision = decide({ versions, lost: ['v3'] });
    expect(told(decision)).toEqual([]);
    expect(decision.failed).toEqual([
      { path: 'a', reason: expect.stringContaining('no copy'), version: versions[2], earlier: versions[1] },
    ]);
    expect(decide({ versions, lost: ['v1', 'v2', 'v3'] }).failed[0]).not.toHaveProperty('earlier');
  });

  test('a path of which nothing is known is a failure; to want everything never is', () => {
    const decision = decide({ versions: [version('ab', 'x', 1)], wanted: ['a', ''] });
    expect(decision.failed.map((failure) => failure.path)).toEqual(['a']);
    expect(decide({ versions: [] }).failed).toEqual([]);
  });

  test('--to keeps relative paths below another folder', () => {
    const versions = [version('d/a', 'x', 1), version('b', 'y', 1)];
    const live = { 'd/a': 'other', 'out/b': 'other' };
    expect(told(decide({ versions, live, to: 'out' }))).toEqual([
      'b@1 > out/b (recovered 2026-10-01)',
      'd/a@1 > out/d/a',
    ]);
  });
});

describe('companions', () => {
  const left = (timeMs: number, ...paths: string[]) => paths.map((path) => version(path, path, timeMs));
  const all = left(5, 'd/1.CR2', 'd/1.JPG', 'd/1.CR2.xmp', 'd/2.JPG', '1.JPG');
  const withOf = (decision: RecoverDecision<string>) =>
    decision.recoveries.map(({ path, of }) => (of === undefined ? path : `${path} of ${of}`));

  test('come along with a file that is named, and say with which', () => {
    expect(withOf(decide({ versions: all, wanted: ['d/1.JPG'] }))).toEqual([
      'd/1.CR2 of d/1.JPG',
      'd/1.CR2.xmp of d/1.JPG',
      'd/1.JPG',
    ]);
    expect(withOf(decide({ versions: all, wanted: ['d/1.JPG', 'd/1.CR2'] }))).toEqual([
      'd/1.CR2',
      'd/1.CR2.xmp of d/1.JPG',
      'd/1.JPG',
    ]);
    expect(withOf(decide({ versions: all, wanted: ['d'] })).join()).not.toContain('of');
    expect(withOf(decide({ versions: all, wanted: ['d/1.JPG'], to: 'out' }))[0]).toBe(
      'out/d/1.CR2 of d/1.JPG',
    );
  });

  test('not with a folder of that name, nor with a file of which nothing is known', () => {
    const versions = [...left(5, 'd/1.CR2', 'd/1/x'), version('d/1', '', 5, { type: 'dir' })];
    expect(withOf(decide({ versions, wanted: ['d/1'] }))).toEqual(['d/1', 'd/1/x']);
    expect(withOf(decide({ versions, wanted: ['d/1.JPG'] }))).toEqual([]);
  });

  test('that were deleted at another time come if nobody wanted it so, and if their place is free', () => {
    const versions = [
      ...left(5, 'd/1.CR2'),
      ...left(3, 'd/1.JPG', 'd/1.THM'),
      version('d/1.xmp', 'settings', 3, { confirmed: true }),
      version('d/1.DNG', 'old', 3, { reason: 'replaced' }),
    ];
    expect(withOf(decide({ versions, wanted: ['d/1.CR2'], live: { 'd/1.JPG': 'another' } }))).toEqual([
      'd/1.CR2',
      'd/1.THM of d/1.CR2',
    ]);
    expect(withOf(decide({ versions, wanted: ['d/1.xmp'] }))).toContain('d/1.CR2 of d/1.xmp');
  });

  test('that left together come beside together, if anything is in the way of one', () => {
    const live = { 'd/1.JPG': 'another picture', 'd/1 (recovered 2026-10-01).xmp': 'somebody else’s' };
    const expected = [
      'd/1.CR2@5 > d/1 (recovered 2026-10-01).CR2',
      'd/1.CR2.xmp@5 > d/1 (recovered 2026-10-01).CR2.xmp',
      'd/1.JPG@5 > d/1 (recovered 2026-10-01).JPG',
    ];
    for (const wanted of [['d/1.CR2'], ['d']])
      expect(told(decide({ versions: all, wanted, live })).slice(0, 3)).toEqual(expected);
    const again = { ...live, 'd/1 (recovered 2026-10-01).CR2': 'another raw file' };
    expect(told(decide({ versions: all, wanted: ['d/1.CR2'], live: again }))[2]).toBe(
      'd/1.JPG@5 > d/1 (recovered 2026-10-01) 2.JPG',
    );
    const brought = {
      ...live,
      ...Object.fromEntries(
        expected.map((line) => {
          const [, from = '', to = ''] = /^(.+)@5 > (.+)$/.exec(line) ?? [];
          return [to, from];
        }),
      ),
    };
    const decision = decide({ versions: all, wanted: ['d/1.CR2'], live: brought });
    expect([told(decision), decision.present.length, decision.failed]).toEqual([[], 3, []]);
  });

  test('what cannot be had of them is told, and keeps none from coming', () => {
    const decision = decide({ versions: all, wanted: ['d/1.JPG'], lost: ['d/1.CR2'] });
    expect(withOf(decision)).toEqual(['d/1.CR2.xmp of d/1.JPG', 'd/1.JPG']);
    expect(decision.failed.map(({ path }) => path)).toEqual(['d/1.CR2']);
  });
});
