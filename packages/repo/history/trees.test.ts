import os from 'node:os';
import { type GitId, parentOf, type RepoPath } from '@bk/core';
import { PackWriter } from '@bk/store';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { file, folder, type MadePast, newPast, own } from '../past.fixture.ts';
import { TreeEdits, treeAt, type Written, writeTrees } from './trees.ts';

const path = (text: string) => text as RepoPath;

/** Writes edits of the head's tree as a commit of its own. */
function edited(
  past: MadePast,
  make: (edits: TreeEdits, blob: (text: string) => GitId) => void,
): Written & { list: string[] } {
  const { history, head, layout } = past.repo;
  const writer = new PackWriter(layout.history, os.tmpdir(), { reader: history });
  const edits = new TreeEdits();
  make(edits, (text) => writer.addBlob(text));
  const root = head === undefined ? undefined : history.readCommit(head).tree;
  try {
    const written = writeTrees(edits, { reader: history, writer, root });
    writer.finish();
    history.refresh();
    return { ...written, list: written.root === undefined ? [] : lsTree(past, written.root) };
  } finally {
    writer.abort();
  }
}

function lsTree(past: MadePast, root: GitId): string[] {
  return past.git('ls-tree', '-r', '-z', '--name-only', root).split('\0').filter(Boolean);
}

function blobAt(past: MadePast, at: string): GitId {
  return past.git('rev-parse', `main:${at}`).trim() as GitId;
}

describe('writeTrees', () => {
  test('changes the edited folders and those above, and nothing else', () => {
    using past = newPast();
    past.commit({ 'a/x': file(1), 'a/b/y': file(2), 'c/z': file(3), top: file(4) });
    const before = past.repo.history.readCommit(past.repo.head!).tree;
    const { root, written, dropped, list } = edited(past, (edits, blob) =>
      edits.set(path('a/b/y'), blob('new')),
    );
    expect(list).toEqual(['a/b/y', 'a/x', 'c/z', 'top']);
    expect(written.map((each) => each.path)).toEqual(['', 'a', 'a/b']);
    expect(dropped).toEqual([{ path: 'a/b/y', record: blobAt(past, 'a/b/y'), folder: false }]);
    const { history } = past.repo;
    expect(treeAt(history, root, path('c'))).toBe(treeAt(history, before, path('c')));
    expect(treeAt(history, root, path('a/b'))).toBe(written[2]!.tree);
    expect(treeAt(history, root, path('a/x'))).toBe(undefined);
  });

  test('no edits: the same root, nothing written, also without a head', () => {
    using past = newPast();
    expect(edited(past, () => {})).toMatchObject({ root: undefined, written: [] });
    past.commit({ a: file(1) });
    expect(edited(past, () => {})).toMatchObject({
      root: past.repo.history.readCommit(past.repo.head!).tree,
      written: [],
    });
    expect(edited(past, (edits) => edits.set(path('nothing/here'), null))).toMatchObject({
      written: [],
      dropped: [],
    });
  });

  test('a folder that nothing is left of goes, with those above that hold nothing else', () => {
    using past = newPast();
    past.commit({ 'a/b/c/x': file(1), 'd/y': file(2) });
    const { written, list } = edited(past, (edits) => edits.set(path('a/b/c/x'), null));
    expect(list).toEqual(['d/y']);
    expect(written.map(({ path: at, tree }) => [at, tree === undefined])).toEqual([
      ['', false],
      ['a', true],
      ['a/b', true],
      ['a/b/c', true],
    ]);
  });

  test('a file becomes a folder, a folder a file', () => {
    using past = newPast();
    past.commit({ a: file(1), 'b/x': file(2), 'b/c/y': file(3) });
    const { list, dropped } = edited(past, (edits, blob) => {
      edits.set(path('a'), null);
      edits.set(path('a/new'), blob('new'));
      edits.set(path('b/x'), null);
      edits.set(path('b/c/y'), null);
      edits.set(path('b'), blob('new too'));
    });
    expect(list).toEqual(['a/new', 'b']);
    expect(dropped.map((each) => each.path).sort()).toEqual(['a', 'b/c/y', 'b/x']);
  });

  test('what was not edited away is never overwritten', () => {
    using past = newPast();
    past.commit({ a: file(1), 'b/x': file(2), 'b/c/y': file(3) });
    expect(() => edited(past, (edits, blob) => edits.set(path('a/new'), blob('new')))).toThrow(
      expect.objectContaining({ code: 'bug', path: 'a' }),
    );
    expect(() =>
      edited(past, (edits, blob) => {
        edits.set(path('b/x'), null);
        edits.set(path('b'), blob('new'));
      }),
    ).toThrow(expect.objectContaining({ code: 'bug', path: 'b' }));
  });

  test('folders’ own records, bound to conditions', () => {
    using past = newPast();
    past.commit({
      'a/x': file(1),
      [own('b')]: folder(2),
      [own('c')]: folder(3),
      'c/z': file(4),
      'd/y': file(5),
    });
    const { list, folders, dropped } = edited(past, (edits, blob) => {
      edits.set(path('a/x'), null);
      edits.setFolder(path('a'), blob('a was emptied'), 'if-bare');
      edits.set(path('b/new'), blob('new'));
      edits.setFolder(path('b'), null, 'if-filled');
      edits.setFolder(path('c'), null, 'always');
      edits.setFolder(path('d'), blob('d is not bare'), 'if-bare');
      edits.offerFolder(path('nowhere'), blob('not asked for'), 'if-bare');
    });
    expect(list).toEqual(['a/.bkdir', 'b/new', 'c/z', 'd/y']);
    expect([...folders].sort()).toEqual(['a', 'b', 'c']);
    expect(dropped.filter((each) => each.folder).map((each) => each.path)).toEqual(['b', 'c']);
    const kept = edited(past, (edits) => edits.setFolder(path('b'), null, 'if-filled'));
    expect([kept.list.includes('b/.bkdir'), kept.folders.size]).toEqual([true, 0]);
  });

  test('as a map of paths would have it', () => {
    const names = fc.constantFrom('a', 'b', 'c', 'a-b', 'ä');
    const places = fc.array(names, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(
        fc.uniqueArray(places, { maxLength: 12 }),
        fc.uniqueArray(places, { maxLength: 12 }),
        (old, now) => {
          using past = newPast();
          const before = consistent(old);
          const after = consistent(now);
          if (before.length > 0) past.commit(Object.fromEntries(before.map((at, n) => [at, file(n)])));
          const { list, dropped } = edited(past, (edits, blob) => {
            for (const at of before) if (!after.includes(at)) edits.set(path(at), null);
            for (const at of after) edits.set(path(at), blob(`new ${at}`));
          });
          expect(list.sort()).toEqual([...after].sort());
          expect(dropped.map((each) => each.path).sort()).toEqual([...before].sort());
          past.git('fsck', '--strict');
        },
      ),
      { numRuns: 30 },
    );
  }, 60_000);
});

/** Without those below another one. */
function consistent(places: readonly string[]): string[] {
  return places.filter((place) => {
    for (let above = parentOf(path(place)); above !== ''; above = parentOf(above))
      if (places.includes(above)) return false;
    return true;
  });
}
