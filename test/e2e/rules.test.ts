import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { manyFiles } from '../../fixtures/many-files.ts';
import { smallTree } from '../../fixtures/small-tree.ts';
import { bk, errorOf, repository, run } from '../support/bk.ts';
import { git, head, records } from '../support/history.ts';
import { differences, snapshot } from '../support/snapshot.ts';
import { fastFolder } from '../support/temporary.ts';

function small(): { root: string; at: (name: string) => string } {
  const root = fastFolder('bk-rules-');
  smallTree(root);
  repository(root);
  return { root, at: (name) => path.join(root, name) };
}

/** SPEC 4.5. Counts are of files: deleted, of how many, and whether that stops. */
describe.each([
  [11, 20, true],
  [10, 20, false],
  [19, 19, false],
  [60, 100, true],
  [1001, 10_000, true],
  [1001, 10_100, false],
  [1000, 9000, false],
])('%i of %i files deleted', (gone, all, stops) => {
  test(stops ? 'stops' : 'goes on', () => {
    const root = fastFolder('bk-brake-');
    const files = manyFiles(root, all);
    repository(root);
    for (const file of files.slice(0, gone)) fs.rmSync(path.join(root, file));
    const before = head(root);
    const done = run(['-C', root, '--json', 'commit', '-m', 'x', '--keep-deletions']);
    expect(done.code, done.stderr).toBe(stops ? 3 : 0);
    expect(head(root) === before).toBe(stops);
    if (!stops) return;
    expect(errorOf(done).code).toBe('refused');
    bk(['-C', root, 'commit', '-m', 'x', '--keep-deletions', '--allow-mass-delete'], { expect: [0] });
  });
});

test('contents of more than 1,000 files and half of all replaced: refused', () => {
  const root = fastFolder('bk-brake-');
  const files = manyFiles(root, 2000);
  repository(root);
  for (const file of files.slice(0, 1001)) fs.appendFileSync(path.join(root, file), 'encrypted');
  expect(run(['-C', root, 'commit', '-m', 'x']).code).toBe(3);
  bk(['-C', root, 'commit', '-m', 'x', '--allow-mass-delete'], { expect: [0] });
});

describe('.bkignore', () => {
  test('excludes, deletes nothing, and leaves tracked files tracked; .gitignore is not read', () => {
    const { root, at } = small();
    fs.writeFileSync(at('.gitignore'), '*.new\n');
    fs.writeFileSync(at('.bkignore'), '*.tmp\n/cache/\nphotos/\n!keep.tmp\n');
    fs.writeFileSync(at('notes/x.tmp'), 'x');
    fs.writeFileSync(at('notes/keep.tmp'), 'kept');
    fs.writeFileSync(at('notes/a.new'), 'x');
    fs.mkdirSync(at('cache/deep'), { recursive: true });
    fs.writeFileSync(at('cache/deep/x'), 'x');
    fs.appendFileSync(at('photos/2019/img_0.jpg'), 'edited');
    fs.writeFileSync(at('photos/2019/new.jpg'), 'new under an ignored folder');
    const { changes } = bk(['-C', root, 'commit', '-m', 'x'], { expect: [0] });
    expect(changes.map(({ type, path: file }) => `${type} ${file}`).sort()).toEqual([
      'added .bkignore',
      'added .gitignore',
      'added notes/a.new',
      'added notes/keep.tmp',
      'modified photos/2019/img_0.jpg',
    ]);
    expect([...records(root).keys()].filter((file) => file.startsWith('photos/2019/img_')).length).toBe(6);
    expect(bk(['-C', root, 'status']).changes).toEqual([]);
  });
});

test('a nested repository is a boundary: reported, not crossed', () => {
  const root = fastFolder('bk-outer-');
  smallTree(root);
  const inner = path.join(root, 'disks/inner');
  smallTree(inner, 2);
  repository(inner);
  repository(root);
  expect([...records(root).keys()].filter((file) => file.startsWith('disks/inner/'))).toEqual([]);
  const before = snapshot(inner, { withBk: true });
  expect(bk(['-C', root, 'status']).skipped).toMatchObject([{ path: 'disks/inner' }]);
  expect(differences(before, snapshot(inner, { withBk: true }))).toEqual([]);
  expect(bk(['-C', inner, 'status'])).toMatchObject({ repository: { root: inner }, changes: [] });
  expect(run(['init', path.join(root, 'notes')]).code).toBe(3);
});

describe('commit PATH', () => {
  test('records what lies there and leaves the rest uncommitted', () => {
    const { root, at } = small();
    fs.appendFileSync(at('notes/todo.txt'), 'x');
    fs.appendFileSync(at('notes/letter.txt'), 'x');
    fs.appendFileSync(at('top.bin'), 'x');
    fs.rmSync(at('music/album/00 track.flac'));
    const { changes } = bk(['-C', root, 'commit', '-m', 'x', 'notes/todo.txt', 'music'], { expect: [0] });
    expect(changes.map((one) => `${one.type} ${one.path}`).sort()).toEqual([
      'deleted music/album/00 track.flac',
      'modified notes/todo.txt',
    ]);
    expect(
      bk(['-C', root, 'status'])
        .changes.map((one) => one.path)
        .sort(),
    ).toEqual(['notes/letter.txt', 'top.bin']);
  });

  test('one end of a move stands for both', () => {
    const { root, at } = small();
    fs.renameSync(at('top.bin'), at('notes/top.bin'));
    const before = records(root).get('top.bin')?.record.id;
    const { changes } = bk(['-C', root, 'commit', '-m', 'x', 'notes'], { expect: [0] });
    expect(changes).toMatchObject([{ type: 'renamed', from: 'top.bin', path: 'notes/top.bin' }]);
    expect(records(root).get('notes/top.bin')?.record.id).toBe(before);
    expect(records(root).has('top.bin')).toBe(false);
    expect(bk(['-C', root, 'status']).changes).toEqual([]);
  });
});

describe('--dry-run', () => {
  test('tells what would be done and touches nothing', () => {
    const { root, at } = small();
    fs.appendFileSync(at('notes/todo.txt'), 'x');
    fs.rmSync(at('top.bin'));
    const before = snapshot(root);
    const refs = git(root, ['for-each-ref']).toString();
    const objects = git(root, ['count-objects', '-v']).toString();
    const plan = bk(['-C', root, 'commit', '-m', 'x', '--confirm-deletions', '--dry-run'], { expect: [0] });
    expect(plan.changes.map((one) => one.type).sort()).toEqual(['deleted', 'modified']);
    expect(differences(before, snapshot(root))).toEqual([]);
    expect([git(root, ['for-each-ref']).toString(), git(root, ['count-objects', '-v']).toString()]).toEqual([
      refs,
      objects,
    ]);
    expect(bk(['-C', root, 'status']).changes.length).toBe(2);
    bk(['-C', root, 'recover', 'top.bin'], { expect: [0] });
  });
});

describe('exit codes and errors', () => {
  test.each([
    [['status'], 4, 'not-a-repository'],
    [['commit'], 4, 'not-a-repository'],
  ])('%j outside a repository', (args, code, name) => {
    const done = run(['-C', fastFolder('bk-none-'), '--json', ...args]);
    expect([done.code, errorOf(done).code]).toEqual([code, name]);
    expect(done.stdout).toBe('');
  });
  test('unknown verbs and options are usage errors (2)', () => {
    const { root } = small();
    expect(run(['-C', root, 'no-such-verb']).code).toBe(2);
    expect(run(['-C', root, 'status', '--no-such-option']).code).toBe(2);
    expect(run(['-C', root, 'commit', '--confirm-deletions', '--keep-deletions']).code).toBe(2);
  });
  test('--json writes one document on stdout and nothing else', () => {
    const { root, at } = small();
    fs.appendFileSync(at('notes/todo.txt'), 'x');
    for (const args of [
      ['status'],
      ['log'],
      ['ls', '-r'],
      ['diff'],
      ['safety'],
      ['doctor'],
      ['check'],
      ['show', 'HEAD'],
    ]) {
      const { stdout, stderr } = run(['-C', root, '--json', ...args]);
      expect(() => JSON.parse(stdout), `${args.join(' ')}: ${stdout.slice(0, 200)} ${stderr}`).not.toThrow();
    }
  });
  test('diff --exit-code answers 1 for differences, 0 for none', () => {
    const { root, at } = small();
    expect(run(['-C', root, 'diff', '--exit-code']).code).toBe(0);
    fs.appendFileSync(at('notes/todo.txt'), 'x');
    expect(run(['-C', root, 'diff', '--exit-code']).code).toBe(1);
  });
  test('paths on input are relative to the current folder', () => {
    const { root, at } = small();
    fs.appendFileSync(at('notes/todo.txt'), 'x');
    fs.appendFileSync(at('top.bin'), 'x');
    expect(bk(['status', 'todo.txt'], { cwd: at('notes') }).changes).toMatchObject([
      { path: 'notes/todo.txt' },
    ]);
    expect(bk(['-C', at('notes'), 'status', '../top.bin']).changes).toMatchObject([{ path: 'top.bin' }]);
    expect([2, 4]).toContain(run(['-C', root, 'status', '../outside']).code);
  });
});
