import fs from 'node:fs';
import path from 'node:path';
import type { RepoPath } from '@bk/core';
import { describe, expect, test } from 'vitest';
import { partRevisions } from './history/revision.ts';
import { ls } from './ls.ts';
import { file, folder, type MadePast, NOW, newPast, own } from './past.fixture.ts';
import { show } from './show.ts';

const list = (past: MadePast, options: Parameters<typeof ls>[1] = {}) => ls(past.repo, options, NOW).entries;
const paths = (past: MadePast, options: Parameters<typeof ls>[1] = {}) =>
  list(past, options).map((entry) => entry.path);
const at = (text: string) => text as RepoPath;

const TREE = {
  'a/1': file(1),
  'a.b': file(2),
  'a-b/x': file(3),
  '\uE000': file(4),
  '😀': file(5, 'to', { type: 'symlink', target: 'to' }),
  [own('empty')]: folder(6, '0700'),
  [own('a')]: folder(7, '0711'),
  [own('')]: folder(8, '0700'),
};

describe('ls', () => {
  test('lists a folder in the order of bytes', () => {
    using past = newPast();
    expect(list(past)).toEqual([]);
    past.commit(TREE);
    expect(paths(past)).toEqual(['a', 'a-b', 'a.b', 'empty', '\uE000', '😀']);
    expect(list(past).map(({ type, mode }) => `${type} ${mode}`)).toEqual([
      'dir 0711',
      'dir 0755',
      'file 0644',
      'dir 0700',
      'file 0644',
      'symlink 0644',
    ]);
    expect(paths(past, { path: at('a') })).toEqual(['a/1']);
    expect(list(past, { path: at('a/1') })).toEqual([
      {
        path: 'a/1',
        type: 'file',
        size: 9,
        blake3: file(1).blake3,
        mtime: file(1).mtime,
        mode: '0644',
        present: false,
      },
    ]);
    expect(paths(past, { recursive: true })).toEqual(['a', 'a-b/x', 'a.b', 'a/1', 'empty', '\uE000', '😀']);
    expect(paths(past, { path: at('a'), recursive: true })).toEqual(['a/1']);
    expect(() => paths(past, { path: at('b') })).toThrow(
      expect.objectContaining({ code: 'not-found', path: 'b' }),
    );
  });

  test('marks what is not there', () => {
    using past = newPast();
    const { root } = past.repo.layout;
    const long = Array.from({ length: 20 }, () => 'x'.repeat(240)).join('/');
    const first = past.commit({
      here: file(1),
      gone: file(2),
      'd/x': file(3),
      link: file(4),
      '%FF': file(5),
      [`${long}/f`]: file(6),
    });
    fs.writeFileSync(path.join(root, 'here'), '');
    fs.writeFileSync(path.join(root, 'd'), 'now a file');
    fs.symlinkSync('here', path.join(root, 'link'));
    fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]), '');
    const present = () =>
      Object.fromEntries(list(past, { recursive: true }).map((entry) => [entry.path, entry.present]));
    expect(present()).toEqual({
      here: true,
      gone: false,
      'd/x': false,
      link: false,
      '%FF': true,
      [`${long}/f`]: false,
    });
    past.commit({ here: file(1) });
    past.repo.index.living = (wanted) => new Set([file(2).blake3!].filter((hash) => wanted.has(hash)));
    const then = list(past, { rev: first.slice(0, 8), recursive: true });
    expect(then.filter((entry) => entry.present).map((entry) => entry.path)).toEqual(['gone']);
  });
});

describe('show', () => {
  test('a commit, a record, a folder', () => {
    using past = newPast();
    const first = past.commit(TREE);
    const second = past.commit({ ...TREE, 'a.b': file(2, 'edited') });
    expect(show(past.repo, { rev: 'HEAD' }, NOW)).toMatchObject({
      commit: second,
      parents: [first],
      message: 'x',
      summary: { modified: 1, added: 0 },
      changes: [{ type: 'modified', path: 'a.b', fields: ['content'] }],
    });
    expect(show(past.repo, { rev: 'HEAD~' }, NOW)).toMatchObject({
      commit: first,
      parents: [],
      summary: { added: 6 },
    });
    expect(show(past.repo, { rev: 'HEAD~', path: at('a.b') }, NOW)).toEqual({ path: 'a.b', record: file(2) });
    expect(show(past.repo, { rev: 'HEAD', path: at('a-b') }, NOW)).toMatchObject({
      entries: [{ path: 'a-b/x' }],
    });
    expect(() => show(past.repo, { rev: 'HEAD', path: at('nope') }, NOW)).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    );
    expect(() => show(past.repo, { rev: 'HEAD~9' }, NOW)).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    );
  });
});

describe('partRevisions', () => {
  test.each([
    [['HEAD', 'a'], ['HEAD'], ['a']],
    [['HEAD~', 'HEAD', 'HEAD'], ['HEAD~', 'HEAD'], ['HEAD']],
    [['a.b'], [], ['a.b']],
    [['folder', 'HEAD'], [], ['folder', 'HEAD']],
    [['today'], [], ['today']],
    [['today~0'], ['today~0'], []],
    [[], [], []],
  ])('%j', (given, revs, rest) => {
    using past = newPast();
    past.commit({ a: file(1) });
    past.commit({ a: file(1, 'b') });
    expect(
      partRevisions(past.repo, given, { most: 2, isPath: (argument) => argument === 'today' }, NOW),
    ).toEqual({ revs, rest });
  });
});
