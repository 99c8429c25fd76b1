import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { bk, errorOf, type Outcome, repository, run } from '../support/bk.ts';
import { git } from '../support/history.ts';
import { leftovers } from '../support/oracle.ts';
import { snapshot } from '../support/snapshot.ts';
import { fastFolder, temporaryFolder } from '../support/temporary.ts';
import { acquaint, id } from '../support/two.ts';

/** A file system beside that of temporaryFolder: two volumes. */
const hasMemory =
  fs.existsSync('/dev/shm') && fs.statSync('/dev/shm').dev !== fs.statSync(temporaryFolder()).dev;

function grow(root: string): void {
  for (const [file, text] of [
    ['Pictures/2019/one.jpg', 'one'],
    ['Pictures/2020/two.jpg', 'two'],
    ['Music/song.flac', 'la'],
    ['Music/copy of one.jpg', 'one'],
    ['work/bkgit/.git/HEAD', 'ref: refs/heads/main\n'],
    ['work/bkgit/src/main.c', 'int main;\n'],
  ] as const) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  }
}

/** A repository, and on another volume one that has the same files committed by itself. */
function places(): { here: string; there: string } {
  const here = path.join(temporaryFolder('bk-subset-'), 'here');
  const there = path.join(fastFolder('bk-subset-'), 'there');
  for (const root of [here, there]) {
    fs.mkdirSync(root);
    grow(root);
    repository(root);
  }
  acquaint(here, there);
  return { here, there };
}

function subset(root: string, ...args: string[]): Outcome {
  return run(['-C', root, '--json', 'subset', ...args]);
}

function stored(root: string): unknown {
  return (JSON.parse(fs.readFileSync(path.join(root, '.bk/config.json'), 'utf8')) as { subset?: unknown })
    .subset;
}

/** What a repository says of itself in its presence. */
function said(root: string): { subset: { include: string[]; exclude: string[]; hash: string } } {
  return JSON.parse(git(root, ['show', `refs/bk/repositories/${id(root)}:repository.json`]).toString());
}

describe('subset', () => {
  test('everything, until it is said otherwise', () => {
    const { here } = places();
    const shown = subset(here);
    expect(shown.code).toBe(0);
    expect(JSON.parse(shown.stdout)).toMatchObject({ include: [], exclude: [] });
    expect(stored(here)).toBe(undefined);
  });

  test('narrowing deletes nothing, tells what may go, and is known to others', (context) => {
    context.skip(!hasMemory, 'needs a second file system at /dev/shm');
    const { here } = places();
    const before = snapshot(here);
    const answer = JSON.parse(subset(here, 'set', 'Pictures', 'nowhere').stdout);
    expect(answer).toMatchObject({
      include: ['Pictures', 'nowhere'],
      exclude: [],
      coming: { files: 0 },
      leaving: { files: 4, paths: [{ path: 'Music' }, { path: 'work' }] },
      idle: ['nowhere'],
    });
    expect([...snapshot(here)]).toEqual([...before]);
    expect(said(here).subset).toEqual(stored(here));
    expect((stored(here) as { hash: string }).hash).toBe(answer.hash);
    const status = bk(['-C', here, 'status']);
    expect(status.changes).toEqual([]);
    expect(leftovers(here)).toEqual([]);
    expect(fs.existsSync(path.join(here, '.bk/leases.json'))).toBe(false);
  });

  test('P05: what is proven nowhere else is not given up, by no pattern', (context) => {
    context.skip(!hasMemory, 'needs a second file system at /dev/shm');
    const { here, there } = places();
    fs.writeFileSync(path.join(there, 'Music/song.flac'), 'lo');
    const narrowed = subset(here, 'set', 'Pictures');
    expect(narrowed.code).toBe(3);
    expect(errorOf(narrowed)).toMatchObject({ code: 'refused', path: 'Music/song.flac' });
    expect(subset(here, 'set', '--exclude', 'Music').code).toBe(3);
    expect(stored(here)).toBe(undefined);
    // The copy that stays here under another name needs no proof.
    fs.rmSync(path.join(there, 'Pictures/2019/one.jpg'));
    fs.rmSync(path.join(there, 'Music/copy of one.jpg'));
    expect(subset(here, 'set', '--exclude', 'Music/copy*').code).toBe(0);
  });

  test('P05: a disk in a drawer proves nothing', () => {
    const { here, there } = places();
    fs.renameSync(there, `${there}.away`);
    expect(subset(here, 'set', 'Pictures').code).toBe(3);
    expect(stored(here)).toBe(undefined);
  });

  test('a dry run says the same and writes nothing', (context) => {
    context.skip(!hasMemory, 'needs a second file system at /dev/shm');
    const { here } = places();
    const dry = JSON.parse(subset(here, 'set', 'Pictures', '--dry-run').stdout);
    expect(stored(here)).toBe(undefined);
    const real = JSON.parse(subset(here, 'set', 'Pictures').stdout);
    expect(real).toEqual(dry);
  });

  test('P06: dropped, then wanted again: listed, for get', (context) => {
    context.skip(!hasMemory, 'needs a second file system at /dev/shm');
    const { here } = places();
    expect(subset(here, 'set', 'Pictures').code).toBe(0);
    bk(['-C', here, 'drop', 'Music', '--copies', '1'], { expect: [0] });
    expect(fs.existsSync(path.join(here, 'Music/song.flac'))).toBe(false);
    expect(bk(['-C', here, 'status']).changes).toEqual([]);
    const answer = JSON.parse(subset(here, 'add', 'Music').stdout);
    expect(answer).toMatchObject({
      include: ['Pictures', 'Music'],
      coming: { files: 2, paths: [{ path: 'Music' }] },
    });
    bk(['-C', here, 'get', 'Music'], { expect: [0] });
    expect(fs.readFileSync(path.join(here, 'Music/song.flac'), 'utf8')).toBe('la');
    expect(JSON.parse(subset(here, 'remove', 'Pictures').stdout)).toMatchObject({ include: ['Music'] });
  });

  test('entities are never cut', (context) => {
    context.skip(!hasMemory, 'needs a second file system at /dev/shm');
    const { here } = places();
    const answer = JSON.parse(subset(here, 'set', 'Pictures', 'work/bkgit/src').stdout);
    expect(answer.leaving.paths).toEqual([{ path: 'Music' }]);
  });

  test('P07: patterns that bk did not write are not acted upon, until they are said again', () => {
    const { here } = places();
    bk(['-C', here, 'subset', 'set', 'Pictures', 'Music', 'work']);
    const file = path.join(here, '.bk/config.json');
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('"Pictures"', '"Pix"'));
    const shown = subset(here);
    expect(shown.code).toBe(1);
    expect(JSON.parse(shown.stdout)).toMatchObject({ include: ['Pix', 'Music', 'work'], edited: true });
    const added = subset(here, 'add', 'Films');
    expect(added.code).toBe(3);
    expect(added.stderr).toMatch(/bk subset set/);
    expect(subset(here, 'set').code).toBe(0);
    expect(stored(here)).toBe(undefined);
  });

  test('P10: a symlink where the history has a folder', () => {
    const { here } = places();
    fs.renameSync(path.join(here, 'Pictures'), path.join(here, 'elsewhere'));
    fs.symlinkSync('elsewhere', path.join(here, 'Pictures'));
    const done = subset(here, 'set', 'Pictures/2019');
    expect(done.code).toBe(3);
    expect(errorOf(done).path).toBe('Pictures');
  });

  test.for(['../x', '/etc', '.bk', '.BK/history', '', 'a/../b'])('P11: %j is refused', (pattern) => {
    const here = path.join(temporaryFolder(), 'here');
    fs.mkdirSync(here);
    bk(['init', here]);
    expect(subset(here, 'set', pattern).code).toBe(3);
    expect(stored(here)).toBe(undefined);
  });

  test('a pattern that matches nothing at the top: what would match everywhere', () => {
    const { here } = places();
    const done = run(['-C', here, 'subset', 'set', 'Pictures', '*.nothing', 'x/*.nothing']);
    expect([done.code, done.stderr]).toEqual([
      0,
      "warning: nothing matches *.nothing at the top; '**/*.nothing' means everywhere\nwarning: nothing matches x/*.nothing\n",
    ]);
  });

  test('what makes no sense is a usage error', () => {
    const { here } = places();
    expect(subset(here, 'add', 'Pictures').code).toBe(2);
    expect(subset(here, 'remove', 'Pictures').code).toBe(2);
    expect(subset(here, 'add').code).toBe(2);
    expect(subset(here, 'set', '[').code).toBe(2);
  });
});
