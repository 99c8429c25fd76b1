import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { type Answer, bk, errorOf, run } from '../support/bk.ts';
import {
  commit,
  type Family,
  family,
  has,
  knownHead,
  meet,
  move,
  read,
  remove,
  write,
} from '../support/family.ts';
import { fsckProblems, git, head, records } from '../support/history.ts';
import { differences, snapshot } from '../support/snapshot.ts';

const MONDAY = Date.UTC(2026, 4, 11, 12) / 1000;
const TUESDAY = MONDAY + 86_400;
const TODO = 'notes/todo (conflict laptop 2026-05-11).txt';
const NEW = 'notes/new (conflict desktop 2026-05-11).txt';

interface Version {
  readonly path: string;
  readonly repository: string;
  readonly blake3: string;
  readonly time: string;
}

interface Listed {
  readonly path: string;
  readonly kind: string;
  readonly versions: readonly Version[];
}

let all: Family;
let root: string;
/** On the desktop: two contents of one file, two files of one name, a deletion against an edit, two names. */
beforeEach(() => {
  all = family((folder) => smallTree(folder));
  root = all.desktop;
  const { laptop, desktop } = all;
  write(laptop, 'notes/todo.txt', 'todo of the laptop', MONDAY);
  write(laptop, 'notes/new.txt', 'new of the laptop', TUESDAY);
  remove(laptop, 'top.bin');
  move(laptop, 'notes/letter.txt', 'notes/letter of laptop.txt');
  commit(laptop);
  write(desktop, 'notes/todo.txt', 'todo of the desktop', TUESDAY);
  write(desktop, 'notes/new.txt', 'new of the desktop', MONDAY);
  write(desktop, 'top.bin', 'edited');
  move(desktop, 'notes/letter.txt', 'notes/letter of desktop.txt');
  commit(desktop);
  bk(['-C', desktop, 'merge', 'laptop'], { expect: [1] });
});

function listed(): readonly Listed[] {
  const done = run(['-C', root, '--json', 'conflicts']);
  const { conflicts } = JSON.parse(done.stdout) as { conflicts: Listed[] };
  expect(done.code).toBe(conflicts.length > 0 ? 1 : 0);
  return conflicts;
}

function resolve(...args: string[]): Answer {
  return bk(['-C', root, 'resolve', ...args], { expect: [0] });
}

function refused(...args: string[]): readonly [number, string] {
  const before = [snapshot(root), head(root)];
  const done = run(['-C', root, '--json', 'resolve', ...args]);
  expect([snapshot(root), head(root)]).toEqual(before);
  return [done.code, errorOf(done).code];
}

/** Contents that are in the net and not in the folder. */
function recoverable(): string[] {
  return bk(['-C', root, 'recover', '--list']).recoverable.map(({ path }) => path);
}

describe('conflicts', () => {
  test('lists the versions with whose they are and from when, as the history has them', () => {
    const found = listed();
    expect(found.map(({ path, kind }) => [path, kind])).toEqual([
      [expect.stringMatching(/^notes\/letter of (laptop|desktop)\.txt$/), 'rename-rename'],
      ['notes/new.txt', 'add-add'],
      ['notes/todo.txt', 'content'],
      ['top.bin', 'delete-edit'],
    ]);
    const todo = found.find(({ path }) => path === 'notes/todo.txt')!;
    const times = ['laptop', 'desktop'].map((name) => {
      const at = git(root, [
        'log',
        '-1',
        '--format=%cI',
        `--grep=Bk-Repository: .* ${name}`,
        '--',
        'notes/todo.txt',
      ]);
      return `${new Date(at.toString().trim()).toISOString().slice(0, 19)}Z`;
    });
    const seen = records(root);
    const version = (path: string, repository: string, time: string | undefined) => ({
      path,
      repository,
      blake3: seen.get(path)?.record.blake3,
      time,
    });
    expect(todo.versions).toEqual([
      version(TODO, 'laptop', times[0]),
      version('notes/todo.txt', 'desktop', times[1]),
    ]);
    const told = run(['-C', root, 'conflicts']).stdout;
    expect(told).toContain('notes/todo.txt  changed on both sides; the newer content stays\n');
    expect(told).toMatch(/^ {4}notes\/todo \(conflict laptop 2026-05-11\)\.txt {2}laptop {3}\d{4}-/m);
    expect(told).toMatch(/^4 conflicts; `bk resolve PATH`/m);
    // One that never merged has none.
    expect(run(['-C', all.old, 'conflicts'])).toMatchObject({ code: 0, stdout: 'no conflicts\n' });
    expect(run(['-C', all.old, 'resolve', '--all'])).toMatchObject({ code: 0, stdout: 'no conflicts\n' });
  });
});

describe('resolve', () => {
  test('keeps what is at the path, and the other goes to the net', () => {
    expect(resolve('notes/todo.txt')).toMatchObject({
      commit: head(root),
      resolved: [{ path: 'notes/todo.txt', kind: 'content', kept: ['notes/todo.txt'], removed: [TODO] }],
    });
    expect([read(root, 'notes/todo.txt'), has(root, TODO)]).toEqual(['todo of the desktop', false]);
    expect(recoverable()).toContain(TODO);
    expect(listed().map(({ path }) => path)).not.toContain('notes/todo.txt');
    expect(records(root).get('notes/todo.txt')?.record['conflict']).toBeUndefined();
    bk(['-C', root, 'recover', TODO], { expect: [0] });
    expect(read(root, TODO)).toBe('todo of the laptop');
  });

  test('the version under the conflict name gets the name, if it is the one that is named', () => {
    const { id } = records(root).get('notes/todo.txt')!.record;
    resolve(TODO);
    expect([read(root, 'notes/todo.txt'), has(root, TODO)]).toEqual(['todo of the laptop', false]);
    expect(records(root).get('notes/todo.txt')?.record.id).toBe(id);
    expect(recoverable()).toContain('notes/todo.txt');
  });

  test.each([
    [
      ['newest', 'both'],
      ['todo of the desktop', undefined],
      ['new of the laptop', 'new of the desktop'],
    ],
    [
      ['laptop', 'desktop'],
      ['todo of the laptop', undefined],
      ['new of the desktop', undefined],
    ],
  ])('--keep %j', ([todo, fresh], todos, news) => {
    resolve('notes/todo.txt', '--keep', todo!);
    resolve('notes/new.txt', '--keep', fresh!);
    const now = (file: string) => (has(root, file) ? read(root, file) : undefined);
    expect(['notes/todo.txt', TODO].map(now)).toEqual(todos);
    expect(['notes/new.txt', NEW].map(now)).toEqual(news);
    expect(listed().map(({ kind }) => kind)).toEqual(['rename-rename', 'delete-edit']);
    expect(bk(['-C', root, 'status']).changes).toEqual([]);
  });

  test('--keep deletion, where one side deleted', () => {
    expect(refused('notes/todo.txt', '--keep', 'deletion')).toEqual([3, 'refused']);
    resolve('top.bin', '--keep', 'deletion');
    expect(has(root, 'top.bin')).toBe(false);
    expect(recoverable()).toContain('top.bin');
  });

  test('--all, each as it is said', () => {
    const plan = resolve('--all', '--dry-run');
    expect([plan.commit, listed().length]).toEqual([null, 4]);
    const answer = resolve('--all', '--keep', 'newest');
    expect(answer).toMatchObject({ conflicts: [], left: [] });
    expect(listed()).toEqual([]);
    expect(['notes/todo.txt', 'notes/new.txt', 'top.bin'].map((file) => read(root, file))).toEqual([
      'todo of the desktop',
      'new of the laptop',
      'edited',
    ]);
    expect([has(root, TODO), has(root, NEW)]).toEqual([false, false]);
    expect(run(['-C', root, 'resolve', '--all'])).toMatchObject({ code: 0, stdout: 'no conflicts\n' });
    expect(bk(['-C', root, 'check'])).toMatchObject({ ok: true });
    expect(fsckProblems(root)).toEqual([]);
  });

  test('all in a folder', () => {
    expect(resolve('notes', '--keep', 'both')).toMatchObject({ conflicts: [{ path: 'top.bin' }] });
    expect([has(root, TODO), has(root, NEW)]).toEqual([true, true]);
  });

  test('a dry run touches nothing', () => {
    const before = [snapshot(root), head(root)];
    const done = run(['-C', root, 'resolve', 'notes/todo.txt', '--dry-run']);
    expect(done.stdout).toBe(
      `kept        notes/todo.txt\nto the net  ${TODO}\n1 conflict would be resolved, 3 left\n`,
    );
    expect([snapshot(root), head(root)]).toEqual(before);
  });

  test('says what it was given wrongly, and changes nothing', () => {
    expect(refused('notes/empty')).toEqual([4, 'not-found']);
    expect(refused()).toEqual([2, 'usage']);
    expect(refused('notes/todo.txt', '--all')).toEqual([2, 'usage']);
    expect(refused('notes/todo.txt', '--keep', 'nobody')).toEqual([3, 'refused']);
    // The laptop has no version of top.bin: it deleted it, and that is to be said.
    expect(refused('--all', '--keep', 'laptop')).toEqual([3, 'refused']);
    write(root, 'notes/todo.txt', 'not committed');
    expect(refused('notes/todo.txt')).toEqual([3, 'refused']);
    expect(refused('top.bin')).toEqual([3, 'refused']);
  });

  test('is ended for all who follow; ended differently in two places it is merged like anything', () => {
    bk(['-C', root, 'push', 'laptop'], { expect: [0] });
    const { laptop } = all;
    expect(head(laptop)).toBe(head(root));
    resolve('--all');
    bk(['-C', laptop, 'resolve', 'notes/todo.txt', '--keep', 'laptop'], { expect: [0] });
    meet(root, laptop);
    bk(['-C', root, 'merge', knownHead(root, 'laptop')]);
    bk(['-C', laptop, 'merge', knownHead(laptop, 'desktop')]);
    expect(head(laptop)).toBe(head(root));
    expect(differences(snapshot(laptop), snapshot(root), { inode: false })).toEqual([]);
    // Each chose its own content: that is a conflict once more, and nothing is lost by it.
    const texts = fs
      .readdirSync(path.join(root, 'notes'))
      .map((name) => `${name}: ${read(root, `notes/${name}`)}`);
    expect(texts.filter((text) => text.startsWith('todo'))).toEqual([
      'todo (conflict laptop 2026-05-11) 2.txt: todo of the laptop',
      'todo.txt: todo of the desktop',
    ]);
    bk(['-C', root, 'sync'], { expect: [0, 1] });
    for (const one of [root, laptop]) expect(fsckProblems(one)).toEqual([]);
  });
});
