import { createHash } from 'node:crypto';
import { type EncodedName, type GitId, nameOf, parentOf, type RepoPath } from '@bk/core';
import { compareTreeEntries, type TreeEntry } from '@bk/store';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SharedTree } from './trees.ts';

const idOf = (text: string) => createHash('sha1').update(text).digest('hex') as GitId;

/** Trees in memory, named by what is in them. */
class Trees {
  readonly #trees = new Map<GitId, readonly TreeEntry[]>();
  reads = 0;

  add(files: ReadonlyMap<string, string>): GitId {
    const entries = new Map<string, TreeEntry>();
    const below = new Map<string, Map<string, string>>();
    for (const [path, content] of files) {
      const [name = '', ...rest] = path.split('/');
      if (rest.length === 0)
        entries.set(name, { name: name as EncodedName, kind: 'blob', id: idOf(content) });
      else below.set(name, (below.get(name) ?? new Map()).set(rest.join('/'), content));
    }
    for (const [name, inner] of below)
      entries.set(name, { name: name as EncodedName, kind: 'tree', id: this.add(inner) });
    const tree = [...entries.values()].sort(compareTreeEntries);
    const id = idOf(JSON.stringify(tree));
    this.#trees.set(id, tree);
    return id;
  }

  readTree(id: GitId): readonly TreeEntry[] {
    this.reads++;
    return this.#trees.get(id)!;
  }
}

const name = fc.constantFrom('a', 'b', 'c-d', 'c', '.bkdir');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
/** A name is a file or a folder, not both; a folder's own record is a file. */
const files = fc.array(fc.tuple(path, fc.constantFrom('x', 'y', 'z')), { maxLength: 12 }).map((list) => {
  const taken = new Map<string, string>();
  for (const [at, content] of list) {
    const isFolder = [...taken.keys()].some((other) => other.startsWith(`${at}/`));
    const inFile = [...taken.keys()].some((other) => at.startsWith(`${other}/`));
    if (!isFolder && !inFile && !at.includes('.bkdir/')) taken.set(at, content);
  }
  return taken;
});

test('what both hold at the same place, and what only the other holds', () => {
  fc.assert(
    fc.property(files, files, (head, held) => {
      const trees = new Trees();
      const shared = new SharedTree(trees, trees.add(head), held.size === 0 ? undefined : trees.add(held));
      const isShared = ([at, content]: [string, string]) => held.get(at) === content;
      const isRecord = (at: string) => nameOf(at as RepoPath) === '.bkdir';
      const found = [...head].filter(([at]) => {
        const inFolder = shared.filesOf(parentOf(at as RepoPath));
        return inFolder === 'all' || inFolder.has(nameOf(at as RepoPath));
      });
      expect(found).toEqual([...head].filter(isShared));
      const others = [...held].filter(([at, content]) => !isRecord(at) && head.get(at) !== content);
      expect(shared.others.map(({ path: at, id }) => `${at} ${id}`).sort()).toEqual(
        others.map(([at, content]) => `${at} ${idOf(content)}`).sort(),
      );
    }),
    { numRuns: 500 },
  );
});

test('what is equal is not read', () => {
  const trees = new Trees();
  const many = (folder: string) => Array.from({ length: 9 }, (_, i) => [`${folder}/${i}/f`, 'x'] as const);
  const head = trees.add(new Map([...many('a'), ...many('b')]));
  const held = trees.add(new Map([...many('a'), ...many('b').slice(1)]));
  new SharedTree(trees, head, head);
  expect(trees.reads).toBe(0);
  const shared = new SharedTree(trees, head, held);
  expect(trees.reads).toBe(4);
  expect(shared.filesOf('a/3' as RepoPath)).toBe('all');
  expect(shared.filesOf('b/0' as RepoPath)).toEqual(new Set());
});
