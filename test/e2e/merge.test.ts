import fs from 'node:fs';
import path from 'node:path';

import { describe, expect, test } from 'vitest';
import { bytePath, writeAt } from '../../fixtures/byte-path.ts';
import { editSmallTree, smallTree } from '../../fixtures/small-tree.ts';
import { parentsDrawn } from '../../packages/cli/graph.fixture.ts';
import { type Answer, bk, errorOf, run } from '../support/bk.ts';
import { commit, family, has, knownHead, meet, move, read, remove, write } from '../support/family.ts';
import { fsckProblems, git, head } from '../support/history.ts';
import { leftovers } from '../support/oracle.ts';
import { differences, snapshot } from '../support/snapshot.ts';

interface Merged extends Answer {
  readonly result: string;
  readonly parents: readonly string[];
  readonly conflicts: readonly {
    readonly path: string;
    readonly kind: string;
    readonly kept: readonly string[];
  }[];
  readonly applied: Readonly<Record<string, number>>;
  readonly transferred: { readonly files: number };
  readonly missing: readonly { readonly path: string }[];
}

const SPEC_FIELDS = ['result', 'commit', 'parents', 'conflicts', 'applied', 'transferred', 'missing'];

/** @param expected the exit code */
function merge(root: string, args: readonly string[], expected = 0): Merged {
  return bk(['-C', root, 'merge', ...args], { expect: [expected] }) as Merged;
}

/** Nothing is left of the work, and every checker is content. */
function sound(...roots: readonly string[]): void {
  for (const root of roots) {
    expect(fsckProblems(root)).toEqual([]);
    expect(bk(['-C', root, 'check'])).toMatchObject({ ok: true, problems: [] });
    expect(bk(['-C', root, 'status'])).toMatchObject({ changes: [], unreadable: [] });
    expect(leftovers(root)).toEqual([]);
  }
}

function alike(first: string, ...others: readonly string[]): void {
  for (const other of others) {
    expect(head(other)).toBe(head(first));
    expect(differences(snapshot(first), snapshot(other), { inode: false })).toEqual([]);
  }
}

/** Everything that a dry run must leave as it is. */
function untouched(root: string): unknown {
  const all = [...snapshot(root, { withBk: true }).entries()];
  const kept = all.filter(([at]) => !/^\.bk(\/(index|lock|cards)\.sqlite.*)?$/.test(at));
  return kept.map(([at, { blake3, inode, mtimeNs, mode }]) => [at, blake3, inode, mtimeNs, mode].map(String));
}

const small = (root: string) => smallTree(root);
const MONDAY = Date.UTC(2026, 4, 11, 12) / 1000;
const TUESDAY = MONDAY + 86_400;

describe('merge', () => {
  test('what was reorganised, edited and deleted in three places is one collection in all three', () => {
    const { laptop, desktop, old } = family(small);
    editSmallTree(laptop);
    commit(laptop);
    write(desktop, 'photos/2019/img_2.jpg', 'retouched');
    write(desktop, 'photos/2019/img_new.jpg', 'new');
    write(desktop, 'notes/letter.txt', 'dear uncle');
    commit(desktop);
    remove(old, 'music/album/03 track.flac');
    remove(old, 'photos/2019/img_5.jpg');
    commit(old, '--confirm-deletions');

    const done = merge(laptop, []);
    expect(Object.keys(done)).toEqual(expect.arrayContaining(SPEC_FIELDS));
    expect(done).toMatchObject({ result: 'merged', commit: head(laptop), conflicts: [], missing: [] });
    expect(done.applied).toEqual({ renamed: 0, copied: 1, updated: 2, deleted: 2 });
    expect(done.transferred.files).toBe(3);
    bk(['-C', desktop, 'fetch', 'laptop']);
    const told = run(['-C', desktop, 'merge', 'laptop', '--dry-run']).stdout.split('\n');
    expect(told[0]).toBe(`laptop  would follow to ${head(laptop)?.slice(0, 10)}`);
    expect(told).toContain('moved     6 files with photos/2019/ → archive/2019/');
    expect(told).toContain('moved     notes/letter.txt → notes/letter to aunt.txt');
    expect(told).toContain('deleted   music/album/03 track.flac');

    bk(['-C', laptop, 'sync'], { expect: [0] });
    alike(laptop, desktop, old);
    expect(read(old, 'archive/2019/img_2.jpg')).toBe('retouched');
    expect(read(old, 'archive/2019/img_new.jpg')).toBe('new');
    expect(read(old, 'notes/letter to aunt.txt')).toBe('dear uncle');
    expect(read(old, 'notes/todo.txt')).toBe('buy bread 1\n');
    for (const gone of ['photos/2019', 'top.bin', 'archive/2019/img_5.jpg', 'music/album/03 track.flac'])
      expect(has(desktop, gone)).toBe(false);
    sound(laptop, desktop, old);
    const kept = bk(['-C', laptop, 'recover', '--list']).recoverable.map((one) => one.path);
    expect(kept).toEqual(expect.arrayContaining(['music/album/03 track.flac', 'photos/2019/img_5.jpg']));
  });

  test('on both sides at once it is the same commit, and nothing is left to exchange', () => {
    const { laptop, desktop } = family(small);
    editSmallTree(laptop);
    commit(laptop);
    write(desktop, 'photos/2019/img_2.jpg', 'retouched');
    write(desktop, 'notes/todo.txt', 'buy beer\n', MONDAY);
    commit(desktop);
    meet(laptop, desktop);
    const known = { onLaptop: knownHead(laptop, 'desktop'), onDesktop: knownHead(desktop, 'laptop') };
    const first = merge(laptop, [known.onLaptop], 1);
    const second = merge(desktop, [known.onDesktop], 1);
    expect(first.parents).toEqual([known.onDesktop, known.onLaptop].sort());
    expect(second).toMatchObject({ parents: first.parents, conflicts: first.conflicts });
    expect(first.conflicts).toEqual([
      { path: 'notes/todo.txt', kind: 'content', kept: ['notes/todo (conflict desktop 2026-05-11).txt'] },
    ]);
    alike(laptop, desktop);
    expect(merge(laptop, ['desktop'])).toMatchObject({ result: 'up-to-date', commit: first.commit });
    expect(bk(['-C', laptop, 'push', 'desktop'], { expect: [0] })['remotes']).toMatchObject([
      { standing: 'same', sent: { files: 0 } },
    ]);
    sound(laptop, desktop);
  });

  test('is told to a person: what happened, what is kept where, what to do', () => {
    const { laptop, desktop } = family(small);
    write(laptop, 'notes/todo.txt', 'of the laptop', MONDAY);
    remove(laptop, 'top.bin');
    move(laptop, 'music/album', 'records');
    commit(laptop);
    write(desktop, 'notes/todo.txt', 'of the desktop', TUESDAY);
    write(desktop, 'top.bin', 'edited');
    remove(desktop, 'bin/run.sh');
    commit(desktop);
    const done = run(['-C', laptop, 'merge', 'desktop']);
    expect(done.code).toBe(1);
    expect(done.stdout.split('\n')).toEqual([
      `desktop  merged as ${head(laptop)?.slice(0, 10)}`,
      'added     top.bin         6 B',
      'modified  notes/todo.txt  14 B',
      'deleted   bin/run.sh',
      '2 new, 1 updated, 1 deleted, 2 contents fetched, 20 B',
      'conflicts: 2',
      '  notes/todo.txt  changed on both sides; the newer content stays',
      '    kept: notes/todo (conflict laptop 2026-05-11).txt',
      '  top.bin  changed on one side and deleted on the other; it stays',
      'next: look at both, then `bk resolve PATH`; `bk conflicts` lists them again',
      '',
    ]);
    expect(run(['-C', laptop, 'merge', 'desktop'])).toMatchObject({
      code: 0,
      stdout: 'desktop  nothing new\n',
    });
    expect(run(['-C', laptop, 'merge', 'desktop', '--quiet']).stdout).toBe('');
    const followed = run(['-C', desktop, 'merge', 'laptop']);
    expect(followed.stdout).toMatch(/^moved +6 files with music\/album\/ → records\/$/m);
    expect(followed.code).toBe(0);
    alike(laptop, desktop);
  });

  test('refuses while there are changes and names them; --commit commits them first', () => {
    const { laptop, desktop } = family(small);
    write(desktop, 'new.txt', 'new');
    commit(desktop);
    write(laptop, 'notes/todo.txt', 'not committed');
    const before = [snapshot(laptop), head(laptop)];
    const refused = run(['-C', laptop, '--json', 'merge', 'desktop']);
    expect([refused.code, refused.stdout]).toEqual([3, '']);
    expect(errorOf(refused)).toMatchObject({
      code: 'refused',
      path: 'notes/todo.txt',
      message: expect.stringContaining('notes/todo.txt'),
      hint: expect.stringContaining('--commit'),
    });
    expect([snapshot(laptop), head(laptop)]).toEqual(before);
    const done = merge(laptop, ['desktop', '--commit', '-m', 'mine']);
    expect(done['committed']).toMatchObject({ summary: { modified: 1 } });
    expect(git(laptop, ['log', '--format=%s']).toString()).toContain('mine\n');
    expect(done.parents).toEqual([knownHead(laptop, 'desktop'), (done['committed'] as Answer).commit].sort());
    expect([read(laptop, 'new.txt'), read(laptop, 'notes/todo.txt')]).toEqual(['new', 'not committed']);
    sound(laptop);
  });

  test('a dry run touches nothing, and what it says is done', () => {
    const { laptop, desktop } = family(small);
    editSmallTree(laptop);
    commit(laptop);
    write(desktop, 'notes/todo.txt', 'of the desktop', MONDAY);
    remove(desktop, 'music/album/04 track.flac');
    commit(desktop);
    expect(merge(laptop, ['desktop', '--dry-run'], 1)['merged']).toMatchObject([
      { result: 'up-to-date', reason: expect.stringContaining('bk fetch') },
    ]);
    bk(['-C', laptop, 'fetch']);
    const before = [laptop, desktop].map(untouched);
    const plan = merge(laptop, ['desktop', '--dry-run'], 1);
    expect(plan).toMatchObject({ result: 'merged', commit: null, transferred: { files: 0 } });
    expect(run(['-C', laptop, 'merge', 'desktop', '--dry-run']).stdout).toContain(
      `would be merged: ${head(desktop)?.slice(0, 10)}`,
    );
    expect([laptop, desktop].map(untouched)).toEqual(before);
    const done = merge(laptop, ['desktop'], 1);
    for (const field of ['parents', 'conflicts', 'applied', 'moved', 'changed'])
      expect(done[field]).toEqual(plan[field]);
  });

  test('too many deletions are refused, unless they are allowed', () => {
    const { laptop, desktop } = family((root) => {
      smallTree(root);
      for (let i = 0; i < 30; i++) write(root, `many/${i}`, `${i}\n`);
    });
    remove(desktop, 'many');
    commit(desktop, '--allow-mass-delete', '--confirm-deletions');
    write(laptop, 'notes/mine.txt', 'mine');
    commit(laptop);
    const before = [snapshot(laptop), head(laptop)];
    const refused = run(['-C', laptop, '--json', 'merge', 'desktop']);
    expect([refused.code, errorOf(refused).code]).toEqual([3, 'refused']);
    expect(errorOf(refused).message).toContain('30 of');
    expect([snapshot(laptop), head(laptop)]).toEqual(before);
    expect(merge(laptop, ['desktop', '--allow-mass-delete']).applied['deleted']).toBe(30);
    expect(bk(['-C', laptop, 'recover', '--list']).recoverable).toHaveLength(30);
    sound(laptop);
  });

  test('sync merges by the way, says so, and sends the result', () => {
    const { laptop, desktop, old } = family(small);
    write(laptop, 'notes/todo.txt', 'of the laptop', MONDAY);
    move(laptop, 'music/album', 'records');
    write(desktop, 'notes/todo.txt', 'of the desktop', TUESDAY);
    commit(desktop);
    bk(['-C', laptop, 'fetch']);
    const plan = run(['-C', laptop, 'sync', '--dry-run']);
    expect(plan).toMatchObject({ code: 0, stdout: expect.stringMatching(/^desktop {2}would be merged: /m) });
    const told = run(['-C', laptop, 'sync', '-m', 'records']);
    expect(told.code).toBe(1);
    expect(told.stdout).toMatch(/^desktop {2}merged as [0-9a-f]{10}, 1 new, 1 updated, .*; moved to/m);
    expect(told.stdout).toContain('modified  notes/todo.txt');
    expect(told.stdout).toContain('    kept: notes/todo (conflict laptop 2026-05-11).txt\nnext: ');
    alike(laptop, desktop, old);
    expect(run(['-C', laptop, 'sync'])).toMatchObject({
      code: 0,
      stdout: expect.not.stringContaining('conflict'),
    });
  });

  test('names of any bytes stay what they are, and are told so that they can be given back', () => {
    const name = 'd\xff\nx/f\xfe.txt';
    const { laptop, desktop } = family((root) => {
      smallTree(root);
      writeAt(root, name, 'before');
    });
    for (const [root, time] of [
      [laptop, MONDAY],
      [desktop, TUESDAY],
    ] as const) {
      writeAt(root, name, `of ${path.basename(root)}`);
      fs.utimesSync(bytePath(root, name), time, time);
      commit(root);
    }
    const kept = 'd%FF%0Ax/f%FE (conflict laptop 2026-05-11).txt';
    expect(merge(laptop, ['desktop'], 1).conflicts).toEqual([
      { path: 'd%FF%0Ax/f%FE.txt', kind: 'content', kept: [kept], encoded: true },
    ]);
    const told = run(['-C', laptop, 'conflicts']).stdout;
    expect(told).toContain('d\\xff\\nx/f\\xfe.txt  changed on both sides');
    bk(['-C', laptop, '--encoded', 'resolve', kept], { expect: [0] });
    expect(fs.readFileSync(bytePath(laptop, name), 'utf8')).toBe('of laptop');
    sound(laptop);
  });

  test('says what it was given wrongly', () => {
    const { laptop } = family(small);
    const said = (...args: string[]) => {
      const done = run(['-C', laptop, 'merge', ...args]);
      return [done.code, done.stderr];
    };
    expect(said('nobody')).toEqual([4, expect.stringContaining('nobody')]);
    expect(said('desktop', 'old')).toEqual([2, expect.stringContaining('old')]);
    expect(said('--lay', 'x')).toEqual([2, expect.stringContaining('--lay')]);
    for (const name of ['desktop', 'old']) bk(['-C', laptop, 'remote', 'remove', name]);
    expect(run(['-C', laptop, 'merge'])).toMatchObject({
      code: 0,
      stdout: 'there are no remotes; see `bk remote add`\n',
    });
  });

  test('log --graph draws the parents that git knows, in their order', () => {
    const { laptop, desktop, old } = family(small);
    for (const [i, root] of [laptop, desktop, old, laptop].entries()) {
      write(root, `of ${path.basename(root)}.txt`, String(i));
      commit(root);
      if (i > 0) merge(root, []);
    }
    const known = git(laptop, ['log', '--graph', '--abbrev=10', '--format=%h %p', 'main']).toString();
    const parents = new Map(
      [...known.matchAll(/[0-9a-f]{10}.*/g)].map(([row]) => [
        row.slice(0, 10),
        row.trim().split(' ').slice(1),
      ]),
    );
    const drawn = run(['-C', laptop, 'log', '--graph']).stdout.split('\n');
    const commits = drawn.flatMap((row) => /\*[ |\\/]+([0-9a-f]{10}) /.exec(row)?.[1] ?? []);
    expect([...commits].sort()).toEqual([...parents.keys()].sort());
    expect([...parents.values()].filter((some) => some.length === 2).length).toBeGreaterThan(2);
    expect(parentsDrawn(drawn, commits)).toEqual(commits.map((one) => parents.get(one)));
  });
});
