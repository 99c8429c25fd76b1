import { type GitId, type MergeEntry, type Rec, type RepoPath, ROOT } from '@bk/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordReader } from '../history/differences.ts';
import { file, folder, type MadePast, newPast, own } from '../past.fixture.ts';
import { mergeInput, treeFacts } from './trees.ts';

type Records = Readonly<Record<string, Rec>>;

function treeOf(past: MadePast, records: Records): GitId {
  return past.repo.history.readCommit(past.commit(records, { parents: [] })).tree;
}

function paths(entries: readonly MergeEntry[]): string[] {
  return entries.map(({ path, record }) => `${path}${record.type === 'dir' ? '/' : ''}`).sort();
}

describe('what a merge sees of three trees', () => {
  it('is what one side has otherwise, as all three have it, and nothing else', () => {
    using past = newPast();
    const base = { 'a/x': file(1), 'a/y': file(2), 'b/z': file(3), 'c/d/e': file(4), [own('g')]: folder(9) };
    const trees = {
      base: treeOf(past, base),
      sides: [
        treeOf(past, { ...base, 'a/x': file(1, 'edited'), [own('')]: folder(8) }),
        treeOf(past, { 'a/x': file(1), 'moved/y': file(2), 'b/z': file(3), 'c/d/e': file(4), g: file(5) }),
      ] as const,
    };
    const { history } = past.repo;
    const input = mergeInput(history, trees, recordReader(history));
    expect(paths(input.base)).toEqual(['a/x', 'a/y', 'g/']);
    expect(paths(input.sides[0])).toEqual(['/', 'a/x', 'a/y', 'g/']);
    expect(paths(input.sides[1])).toEqual(['a/x', 'g', 'moved/y']);
    for (const { blob, path } of input.sides[1])
      expect(past.git('rev-parse', `${trees.sides[1]}:${path}`).trim()).toBe(blob);
  });

  it('is the same entry by entry, whatever the trees', () => {
    const names = fc.constantFrom('a', 'a/b', 'a/c', 'b/a', 'b/b/c', 'c', 'd/e', own('a'), own('d'), own(''));
    const trees = fc.array(fc.tuple(names, fc.nat(3)), { maxLength: 8 }).map((list): Records => {
      const kept: Record<string, Rec> = {};
      for (const [name, n] of list) {
        const clash = Object.keys(kept).some((k) => k.startsWith(`${name}/`) || name.startsWith(`${k}/`));
        if (!clash) kept[name] = name.endsWith('.bkdir') ? folder(n) : file(n);
      }
      return kept;
    });
    fc.assert(
      fc.property(trees, trees, trees, fc.boolean(), (b, x, y, unrelated) => {
        using past = newPast();
        const { history } = past.repo;
        const base = unrelated ? {} : b;
        const [tx, ty] = [treeOf(past, x), treeOf(past, y)];
        const of = { base: unrelated ? undefined : treeOf(past, b), sides: [tx, ty] as const };
        const input = mergeInput(history, of, recordReader(history));
        const same = (name: string): boolean => {
          const there = [base, x, y].map((tree) => JSON.stringify(tree[name]));
          return there[0] === there[1] && there[0] === there[2];
        };
        const expected = (tree: Records): string[] =>
          Object.keys(tree)
            .filter((name) => !same(name))
            .map((name) => (name.endsWith('.bkdir') ? name.slice(0, -'.bkdir'.length) || '/' : name))
            .sort();
        const seen = [input.base, ...input.sides].map(paths);
        expect(seen).toEqual([base, x, y].map((tree) => expected(tree)));
      }),
      { numRuns: 60 },
    );
  });

  it('reads no folder that all three have', () => {
    using past = newPast();
    const base: Record<string, Rec> = {};
    for (let i = 0; i < 50; i++) base[`f${i}/x`] = file(i);
    const tree = treeOf(past, base);
    const side = treeOf(past, { ...base, 'f7/y': file(99) });
    const { history } = past.repo;
    const read: GitId[] = [];
    const reader = {
      readTree: (id: GitId) => {
        read.push(id);
        return history.readTree(id);
      },
    };
    mergeInput(reader, { base: tree, sides: [tree, side] }, recordReader(history));
    expect(read).toHaveLength(6);
  });

  it('facts: what is at a path of a tree, and all that is below one', () => {
    using past = newPast();
    const x = treeOf(past, { 'a/x': file(1), 'a/b/y': file(2), [own('a/b')]: folder(3), c: file(4) });
    const { history } = past.repo;
    const facts = treeFacts(history, { base: undefined, sides: [x, x] }, recordReader(history));
    const kinds = ['', 'a', 'a/x', 'a/b', 'a/b/y', 'a/x/z', 'b', 'c'].map((path) =>
      facts.kindAt(0, path as RepoPath),
    );
    expect(kinds).toEqual(['folder', 'folder', 'file', 'folder', 'file', undefined, undefined, 'file']);
    expect(facts.kindAt('base', ROOT)).toBe(undefined);
    const entries = ['a', 'a/x', 'a/b', 'b'].map((path) => facts.entryAt(0, path as RepoPath)?.record.id);
    expect(entries).toEqual([undefined, file(1).id, folder(3).id, undefined]);
    expect(paths([...facts.below(1, 'a' as RepoPath)])).toEqual(['a/b/', 'a/b/y', 'a/x']);
    expect([...facts.below(1, 'c' as RepoPath), ...facts.below('base', ROOT)]).toEqual([]);
  });
});
