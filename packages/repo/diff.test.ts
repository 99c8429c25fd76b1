import { type Change, DIRECTORY_RECORD, type Rec, type RepoPath } from '@bk/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changesToFolder } from './diff.ts';
import { changesBetweenTrees, summaryBetweenTrees } from './history/differences.ts';
import { file, folder, type MadePast, newPast, own } from './past.fixture.ts';

type Records = Readonly<Record<string, Rec>>;

function between(past: MadePast, before: Records, after: Records): Change[] {
  const [a, b] = [past.commit(before), past.commit(after)].map((id) => past.repo.history.readCommit(id).tree);
  return changesBetweenTrees(past.repo.history, a, b);
}

const brief = ({ type, path, from, fields }: Change) =>
  [type, ...(from === undefined ? [] : [`${from} →`]), path, ...(fields ?? [])].join(' ');

describe('changes between two commits', () => {
  test.each<[string, Records, Records, string[]]>([
    ['nothing', { a: file(1) }, { a: file(1) }, []],
    ['added and deleted', { a: file(1) }, { b: file(2) }, ['deleted a', 'added b']],
    ['moved', { a: file(1) }, { 'd/b': file(1) }, ['renamed a → d/b']],
    ['moved and edited', { a: file(1) }, { b: file(1, 'new') }, ['renamed a → b content']],
    ['swapped', { a: file(1), b: file(2) }, { a: file(2), b: file(1) }, ['renamed b → a', 'renamed a → b']],
    ['edited', { a: file(1) }, { a: file(1, 'new') }, ['modified a content']],
    ['mode', { a: file(1) }, { a: file(1, undefined, { mode: '0600' }) }, ['metadata a mode']],
    ['made anew', { a: file(1) }, { a: file(2) }, ['modified a content']],
    [
      'a link now',
      { a: file(1) },
      { a: file(2, 'to', { type: 'symlink', target: 'to' }) },
      ['typechange a type'],
    ],
    ['an empty folder', {}, { [own('d')]: folder(1) }, ['added d']],
    ['filled', { [own('d')]: folder(1) }, { 'd/a': file(2) }, ['added d/a']],
    [
      'a folder of files moved',
      { 'a/1': file(1), 'a/2': file(2) },
      { 'b/1': file(1), 'b/2': file(2) },
      ['renamed a/1 → b/1', 'renamed a/2 → b/2'],
    ],
  ])('%s', (_what, before, after, expected) => {
    using past = newPast();
    expect(between(past, { ...before, same: file(99) }, { ...after, same: file(99) }).map(brief)).toEqual(
      expected,
    );
  });

  test('finds the renames that git finds, for a random reorganisation of 1,000 files', () => {
    const seeds = fc.array(fc.nat(), { minLength: 1_000, maxLength: 1_000 });
    fc.assert(
      fc.property(seeds, (random) => {
        using past = newPast();
        const before: Record<string, Rec> = {};
        const after: Record<string, Rec> = {};
        random.forEach((number, i) => {
          const path = `f${i % 23}/s${i % 7}/${i}`;
          before[path] = file(i);
          if (number % 5 === 0) after[`moved${number % 11}/t${number % 3}/${i}`] = file(i);
          else if (number % 5 !== 1) after[path] = file(i);
        });
        const found = between(past, before, after).filter(({ type }) => type === 'renamed');
        const lines = past.git('diff', '-M100%', '-l0', '--name-status', '-z', 'HEAD~', 'HEAD').split('\0');
        const expected = new Map<string, string>();
        for (let i = 0; i + 1 < lines.length; i += lines[i]!.startsWith('R') ? 3 : 2) {
          if (lines[i]!.startsWith('R')) expected.set(lines[i + 1]!, lines[i + 2]!);
        }
        expect(new Map(found.map(({ path, from }) => [from, path]))).toEqual(expected);
        expect(expected.size).toBeGreaterThan(50);
      }),
      { numRuns: 3 },
    );
  });

  test('a summary from nothing counts what a full comparison counts', () => {
    using past = newPast();
    const commit = past.commit({
      a: file(1),
      'd/b': file(2),
      [own('d')]: folder(3, '0700'),
      [own('e/f')]: folder(4),
      [own('')]: folder(5, '0700'),
    });
    const { tree } = past.repo.history.readCommit(commit);
    const changes = changesBetweenTrees(past.repo.history, undefined, tree).map(brief);
    expect(changes).toEqual(['added a', 'added d/b', 'added e/f']);
    expect(summaryBetweenTrees(past.repo.history, undefined, tree).added).toBe(3);
  });
});

describe('changesToFolder', () => {
  const blobs = (records: Readonly<Record<string, Rec | undefined>>) =>
    new Map(Object.entries(records)) as Map<RepoPath, Rec | undefined>;

  test.each<[string, Records, Records, Readonly<Record<string, Rec | undefined>>, string[]]>([
    ['nothing anywhere', { a: file(1) }, { a: file(1) }, {}, []],
    ['only since the commit', { a: file(1) }, { b: file(1) }, {}, ['renamed a → b']],
    ['only in the folder', { a: file(1) }, { a: file(1) }, { a: undefined, b: file(1) }, ['renamed a → b']],
    ['moved twice', { a: file(1) }, { b: file(1) }, { b: undefined, c: file(1) }, ['renamed a → c']],
    ['there and back', { a: file(1) }, { b: file(1) }, { b: undefined, a: file(1) }, []],
    ['added, then deleted', {}, { a: file(1) }, { a: undefined }, []],
    ['edited back', { a: file(1) }, { a: file(1, 'x') }, { a: file(1) }, []],
    [
      'an empty folder deleted',
      { [own('d')]: folder(1) },
      { [own('d')]: folder(1) },
      { [own('d')]: undefined },
      ['deleted d'],
    ],
    [
      'a folder emptied',
      { 'd/a': file(1) },
      { 'd/a': file(1) },
      { 'd/a': undefined, [own('d')]: folder(2) },
      ['deleted d/a'],
    ],
    [
      'a folder deleted',
      { 'd/a': file(1), [own('d')]: folder(2, '0700') },
      { 'd/a': file(1), [own('d')]: folder(2, '0700') },
      { 'd/a': undefined, [own('d')]: undefined },
      ['deleted d/a'],
    ],
    [
      'a mode back',
      { 'd/a': file(1), [own('d')]: folder(2, '0700') },
      { 'd/a': file(1), [own('d')]: folder(2, '0700') },
      { [own('d')]: undefined },
      ['metadata d mode'],
    ],
  ])('%s', (_what, then, head, working, expected) => {
    using past = newPast();
    const { history } = past.repo;
    const { tree } = history.readCommit(past.commit({ ...then, same: file(99) }));
    past.commit({ ...head, same: file(99) });
    expect(changesToFolder(past.repo, tree, blobs(working)).map(brief)).toEqual(expected);
  });

  test('is what comparing with a commit of the folder says', () => {
    const files = fc.dictionary(
      fc.constantFrom('a', 'b', 'd/a', 'd/b', 'e/f/a', own('g')),
      fc.tuple(fc.nat(5), fc.nat(2)),
      { noNullPrototype: true },
    );
    const records = (state: Record<string, [number, number]>) => {
      const made: Record<string, Rec> = {};
      const ids = new Set<number>();
      for (const [path, [n, version]] of Object.entries(state)) {
        if (ids.has(n)) continue;
        ids.add(n);
        made[path] = path.endsWith(DIRECTORY_RECORD) ? folder(10 + n) : file(n, `${n} ${version}`);
      }
      return made;
    };
    fc.assert(
      fc.property(files, files, files, (a, b, c) => {
        using past = newPast();
        const { history } = past.repo;
        const [then, head, now] = [records(a), records(b), records(c)];
        const { tree } = history.readCommit(past.commit(then));
        past.commit(head);
        const working: Record<string, Rec | undefined> = {};
        for (const path of Object.keys(head)) if (!(path in now)) working[path] = undefined;
        for (const [path, record] of Object.entries(now)) {
          if (JSON.stringify(head[path]) !== JSON.stringify(record)) working[path] = record;
        }
        const found = changesToFolder(past.repo, tree, blobs(working));
        const after = history.readCommit(past.commit(now)).tree;
        expect(found).toEqual(changesBetweenTrees(history, tree, after));
      }),
      { numRuns: 100 },
    );
  });
});
