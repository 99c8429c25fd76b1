import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { replaceAtomically } from '../../fixtures/small-tree.ts';
import { ids } from '../support/agreement.ts';
import { bk, repository } from '../support/bk.ts';
import { records } from '../support/history.ts';
import { fastFolder } from '../support/temporary.ts';

/** SPEC 2.2, case by case: what is done to the folder, and whose id is at which path afterwards (path now: path then). */
interface Case {
  readonly name: string;
  readonly act: (at: (name: string) => string) => void;
  readonly same: Readonly<Record<string, string>>;
  /** Paths that must hold new objects. */
  readonly fresh?: readonly string[];
  readonly type: string;
}

function tree(root: string): void {
  const files: Record<string, string> = {
    'a/one': 'content one, long enough to be told apart\n',
    'a/two': 'content two, long enough to be told apart\n',
    'a/three': 'content three, long enough to be told apart\n',
    'b/twin': 'twin content\n',
    'c/twin': 'twin content\n',
    'c/empty': '',
    'top.txt': 'top\n',
  };
  for (const [name, content] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), content);
  }
}

/** A new inode with the same bytes and times, as after a move across file systems. */
function copyAway(from: string, to: string): void {
  const { mtime } = fs.statSync(from);
  fs.mkdirSync(path.dirname(to), { recursive: true });
  fs.writeFileSync(to, fs.readFileSync(from));
  fs.utimesSync(to, mtime, mtime);
}

function rotate(at: (name: string) => string, ...names: string[]): void {
  names.forEach((name) => {
    fs.renameSync(at(name), at(`${name}~`));
  });
  names.forEach((name, i) => {
    fs.renameSync(at(`${name}~`), at(names[(i + 1) % names.length] ?? ''));
  });
}

const CASES: readonly Case[] = [
  {
    name: 'same path, same content, other time',
    act: (at) => fs.utimesSync(at('a/one'), 1e9, 1e9),
    same: { 'a/one': 'a/one' },
    type: 'metadata',
  },
  {
    name: 'a pure move',
    act: (at) => fs.renameSync(at('a/one'), at('c/uno')),
    same: { 'c/uno': 'a/one' },
    type: 'renamed',
  },
  {
    name: 'a swap',
    act: (at) => rotate(at, 'a/one', 'a/two'),
    same: { 'a/one': 'a/two', 'a/two': 'a/one' },
    type: 'renamed',
  },
  {
    name: 'a rotation of three',
    act: (at) => rotate(at, 'a/one', 'a/two', 'a/three'),
    same: { 'a/two': 'a/one', 'a/three': 'a/two', 'a/one': 'a/three' },
    type: 'renamed',
  },
  {
    name: 'a move whose old path is occupied again',
    act: (at) => {
      fs.renameSync(at('a/one'), at('a/moved'));
      fs.writeFileSync(at('a/one'), 'somebody else\n');
    },
    same: { 'a/moved': 'a/one' },
    fresh: ['a/one'],
    type: 'renamed',
  },
  {
    name: 'edited in place',
    act: (at) => fs.appendFileSync(at('a/one'), 'more'),
    same: { 'a/one': 'a/one' },
    type: 'modified',
  },
  {
    name: 'an atomic save',
    act: (at) => replaceAtomically(at('a/one'), 'saved\n'),
    same: { 'a/one': 'a/one' },
    type: 'modified',
  },
  {
    name: 'moved across file systems (new inode, same content)',
    act: (at) => {
      copyAway(at('a/one'), at('d/uno'));
      fs.rmSync(at('a/one'));
    },
    same: { 'd/uno': 'a/one' },
    type: 'renamed',
  },
  {
    name: 'moved and edited',
    act: (at) => {
      fs.renameSync(at('a/one'), at('c/uno'));
      fs.appendFileSync(at('c/uno'), 'edited');
    },
    same: { 'c/uno': 'a/one' },
    type: 'renamed',
  },
  {
    name: 'a folder moved as a whole, a file in it saved atomically',
    act: (at) => {
      fs.renameSync(at('a'), at('z'));
      replaceAtomically(at('z/one'), 'saved after the move\n');
    },
    same: { 'z/one': 'a/one', 'z/two': 'a/two', 'z/three': 'a/three' },
    type: 'renamed',
  },
  {
    name: 'a copy is a new object',
    act: (at) => fs.copyFileSync(at('a/one'), at('c/copy')),
    same: { 'a/one': 'a/one' },
    fresh: ['c/copy'],
    type: 'added',
  },
  {
    name: 'empty content is no evidence',
    act: (at) => {
      fs.rmSync(at('c/empty'));
      fs.writeFileSync(at('a/other empty'), 'x');
      fs.writeFileSync(at('a/other empty'), '');
    },
    same: {},
    fresh: ['a/other empty'],
    type: 'added',
  },
  {
    name: 'twins moved: settled by the nearest path',
    act: (at) => {
      copyAway(at('b/twin'), at('b/new'));
      copyAway(at('c/twin'), at('c/new'));
      fs.rmSync(at('b/twin'));
      fs.rmSync(at('c/twin'));
    },
    same: { 'b/new': 'b/twin', 'c/new': 'c/twin' },
    type: 'renamed',
  },
  {
    name: 'only the mode',
    act: (at) => fs.chmodSync(at('a/one'), 0o600),
    same: { 'a/one': 'a/one' },
    type: 'metadata',
  },
];

describe('ids', () => {
  test.each(CASES)('$name', ({ act, same, fresh, type }) => {
    const root = fastFolder('bk-id-');
    tree(root);
    repository(root);
    const before = ids(root);
    act((name) => path.join(root, name));
    const planned = bk(['-C', root, 'status']).changes;
    const { changes } = bk(['-C', root, 'commit', '-m', 'x', '--keep-deletions']);
    const after = ids(root);
    const got = Object.fromEntries(Object.keys(same).map((now) => [now, whose(before, after.get(now))]));
    expect(got).toEqual(same);
    for (const name of fresh ?? []) expect([name, whose(before, after.get(name))]).toEqual([name, undefined]);
    expect(changes.map((change) => change.type)).toContain(type);
    const settled = (list: typeof changes) =>
      list.map(({ type: kind, path: at, from }) => ({ kind, at, from }));
    expect(settled(planned)).toEqual(settled(changes));
  });

  test('a recovered file keeps its id', () => {
    const root = fastFolder('bk-id-');
    tree(root);
    repository(root);
    const id = ids(root).get('a/one');
    fs.rmSync(path.join(root, 'a/one'));
    bk(['-C', root, 'commit', '-m', 'gone', '--keep-deletions']);
    bk(['-C', root, 'recover', 'a/one']);
    bk(['-C', root, 'commit', '-m', 'back']);
    expect(ids(root).get('a/one')).toBe(id);
  });

  test('hard links are recorded as linked; a file that becomes a link changes its type', () => {
    const root = fastFolder('bk-id-');
    tree(root);
    fs.linkSync(path.join(root, 'a/one'), path.join(root, 'c/hard'));
    repository(root);
    const recorded = records(root);
    const [one, hard] = [recorded.get('a/one')?.record, recorded.get('c/hard')?.record];
    expect(one?.linked).toBe([one?.id, hard?.id].sort()[0]);
    expect(hard?.linked).toBe(one?.linked);
    fs.rmSync(path.join(root, 'a/two'));
    fs.symlinkSync('one', path.join(root, 'a/two'));
    expect(bk(['-C', root, 'status']).changes).toMatchObject([{ type: 'typechange', path: 'a/two' }]);
  });
});

function whose(before: ReadonlyMap<string, string>, id: string | undefined): string | undefined {
  return [...before].find(([, other]) => other === id)?.[0];
}
