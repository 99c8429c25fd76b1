import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { byteString } from '../../fixtures/byte-path.ts';
import { oddNames } from '../../fixtures/odd-names.ts';
import { gitCheckout, nodeModules, systemDocs } from '../../fixtures/real-trees.ts';
import { smallTree } from '../../fixtures/small-tree.ts';
import { wrongRecords } from '../support/agreement.ts';
import { bk, run } from '../support/bk.ts';
import { fsckProblems, git } from '../support/history.ts';
import { hasProgram, needs } from '../support/programs.ts';
import { differences, snapshot } from '../support/snapshot.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** Fills the folder; gives byte strings of what is to be skipped, or false if the machine has no such tree. */
type Build = (root: string) => readonly string[] | false;

/** For trees of which nothing is skipped. */
const whole = (build: (root: string) => unknown): Build => {
  return (root) => build(root) !== false && [];
};

const TREES: readonly { readonly name: string; readonly build: Build }[] = [
  { name: 'a small tree', build: whole(smallTree) },
  { name: 'system documentation', build: whole(systemDocs) },
  { name: 'node_modules', build: whole(nodeModules) },
  { name: 'a git checkout with its .git', build: whole(gitCheckout) },
  {
    name: 'a folder of git checkouts',
    build: whole((root) => {
      gitCheckout(path.join(root, 'a/b'), 2);
      gitCheckout(path.join(root, 'c'), 3);
    }),
  },
  { name: 'odd names', build: (root) => oddNames(root).skipped },
  { name: 'an empty folder', build: () => [] },
];

describe.each(TREES)('a copy of $name', ({ build }) => {
  test('every file has one right record, git is content, a second commit has nothing to do', (context) => {
    const root = temporaryFolder('bk-tree-');
    const skipped = build(root);
    needs(context, 'such a tree on this machine', skipped !== false);
    const before = snapshot(root);
    bk(['init', root]);
    const first = bk(['-C', root, 'commit', '-m', 'first'], { expect: [0] });
    expect(differences(before, snapshot(root))).toEqual([]);
    expect(fsckProblems(root)).toEqual([]);
    expect(wrongRecords(root, skipped || [])).toEqual([]);
    expect(first.skipped.map((one) => byteString(one.path)).sort()).toEqual([...(skipped || [])].sort());
    expect(first.changes.length).toBe(first.summary['added']);
    expect(bk(['-C', root, 'status'], { expect: [0] }).changes).toEqual([]);
    expect(bk(['-C', root, 'commit', '-m', 'second'], { expect: [0] }).commit).toBeNull();
    bk(['-C', root, 'reindex']);
    expect(bk(['-C', root, 'status'], { expect: [0] }).changes).toEqual([]);
    expect(bk(['-C', root, 'check'], { expect: [0] })['problems']).toEqual([]);
  });
});

test('names that are not UTF-8 appear encoded and can be given encoded', () => {
  const root = temporaryFolder('bk-encoded-');
  fs.writeFileSync(Buffer.from(`${root}/f\xff\xfe\n`, 'latin1'), 'x');
  bk(['init', root]);
  const { changes } = bk(['-C', root, 'commit', '-m', 'first']);
  expect(changes).toMatchObject([{ path: 'f%FF%FE%0A', encoded: true, type: 'added' }]);
  fs.writeFileSync(Buffer.from(`${root}/f\xff\xfe\n`, 'latin1'), 'other');
  expect(bk(['-C', root, '--encoded', 'status', 'f%FF%FE%0A']).changes).toMatchObject([{ type: 'modified' }]);
  const text = run(['-C', root, 'status']).stdout;
  expect(text).not.toContain('\ufffd');
  expect(text).toMatch(/FF|ff|xff|377/);
});

test('a name cannot speak to the terminal', () => {
  const root = temporaryFolder('bk-escape-');
  fs.writeFileSync(path.join(root, 'a\x1b[31mred\x07\nb'), 'x');
  bk(['init', root]);
  for (const args of [['status'], ['commit', '-m', 'x'], ['ls'], ['show', 'HEAD'], ['log']]) {
    const { stdout, stderr } = run(['-C', root, ...args]);
    expect(`${stdout}${stderr}`).not.toMatch(/\x1b\[31m|\x07/);
  }
});

test('after git gc (deltas) everything is read as before', (context) => {
  needs(context, 'git', hasProgram('git'));
  const root = temporaryFolder('bk-gc-');
  smallTree(root);
  bk(['init', root]);
  bk(['-C', root, 'commit', '-m', 'first']);
  fs.appendFileSync(path.join(root, 'notes/todo.txt'), 'more\n');
  bk(['-C', root, 'commit', '-m', 'second']);
  const before = [['ls', '-r'], ['log'], ['diff', 'HEAD~1', 'HEAD']].map(
    (args) => run(['-C', root, '--json', ...args]).stdout,
  );
  git(root, ['gc', '-q', '--prune=now', '--aggressive']);
  const after = [['ls', '-r'], ['log'], ['diff', 'HEAD~1', 'HEAD']].map(
    (args) => run(['-C', root, '--json', ...args]).stdout,
  );
  expect(after).toEqual(before);
  fs.appendFileSync(path.join(root, 'notes/todo.txt'), 'still more\n');
  expect(bk(['-C', root, 'commit', '-m', 'third']).changes).toMatchObject([
    { type: 'modified', path: 'notes/todo.txt' },
  ]);
  expect([...fsckProblems(root), ...wrongRecords(root)]).toEqual([]);
});
