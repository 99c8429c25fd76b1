import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Answer, bk, errorOf, repository, run } from '../support/bk.ts';
import { mounted, needsFileSystem, unmount } from '../support/mounts.ts';
import { configOf } from '../support/presence.ts';
import { needs } from '../support/programs.ts';
import { hashOf } from '../support/snapshot.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { knowUnplugged } from '../support/unplugged.ts';

interface Where extends Answer {
  readonly files: readonly {
    readonly path: string;
    readonly encoded?: boolean;
    readonly blake3: string;
    readonly present: boolean;
    readonly copies: readonly {
      readonly repository: string;
      readonly name: string;
      readonly volume: string;
      readonly path: string;
      readonly seen: string;
      readonly verified: string | null;
    }[];
  }[];
}

let root: string;
beforeEach(() => {
  root = path.join(temporaryFolder('bk-where-'), 'main');
  fs.mkdirSync(path.join(root, 'photos/2019'), { recursive: true });
  fs.writeFileSync(path.join(root, 'photos/2019/a.jpg'), 'a');
  fs.writeFileSync(path.join(root, 'photos/b.jpg'), 'b');
  fs.writeFileSync(path.join(root, 'notes.txt'), 'notes');
});

const where = (...args: string[]): Where => bk(['-C', root, 'where', ...args]) as Where;

/** `path: names` of each file. */
const told = (...args: string[]): string[] =>
  where(...args).files.map(({ path: at, copies }) => `${at}: ${copies.map(({ name }) => name).join(' ')}`);

/** `path copies`, and whether the exit code fits. */
function under(...args: string[]): string[] {
  const done = run(['-C', root, '--json', 'copies', ...args]);
  const { under: list } = JSON.parse(done.stdout) as { under: { path: string; copies: number }[] };
  expect(done.code).toBe(list.length > 0 ? 1 : 0);
  return list.map(({ path: at, copies }) => `${at} ${copies}`);
}

function volumeIdOf(repo: string): string {
  const volume = configOf(repo)?.['volume'] as { id: string } | undefined;
  return volume?.id ?? '';
}

describe('one repository', () => {
  beforeEach(() => repository(root));

  test('a file, a folder, a content; relative to the current folder', () => {
    const [file] = where('photos/b.jpg').files;
    expect(file).toMatchObject({ path: 'photos/b.jpg', blake3: hashOf(Buffer.from('b')), present: true });
    expect(file?.copies).toMatchObject([{ name: 'main', path: 'photos/b.jpg', verified: null }]);
    expect(told('photos')).toEqual(['photos/2019/a.jpg: main', 'photos/b.jpg: main']);
    expect(told('--content', hashOf(Buffer.from('notes')))).toEqual(['notes.txt: main']);
    const below = bk(['-C', path.join(root, 'photos'), 'where', '2019']) as Where;
    expect(below.files.map((one) => one.path)).toEqual(['photos/2019/a.jpg']);
    bk(['-C', root, 'verify', 'notes.txt']);
    expect(where('notes.txt').files[0]?.copies[0]?.verified).toMatch(/^20\d\d-/);
  });

  test('what is gone, what was never there, what is asked for wrongly', () => {
    fs.rmSync(path.join(root, 'photos/b.jpg'));
    expect(told('photos/b.jpg')).toEqual(['photos/b.jpg: ']);
    expect(run(['-C', root, 'where', 'photos/b.jpg']).stdout).toMatch(/NOWHERE/);
    expect(run(['-C', root, 'where']).stdout).toMatch(/1 NOWHERE/);
    expect(under('--min', '1')).toEqual(['photos/b.jpg 0']);
    const unknown = run(['-C', root, '--json', 'where', 'nothing']);
    expect([unknown.code, errorOf(unknown).code]).toEqual([4, 'not-found']);
    expect(run(['-C', root, 'where', '--content', 'abc']).code).toBe(2);
    expect(run(['-C', root, 'where', '--content', hashOf(Buffer.from('?'))]).code).toBe(4);
    expect(run(['-C', root, 'copies', '--min', 'x']).code).toBe(2);
  });

  test('names of any bytes', () => {
    fs.writeFileSync(Buffer.from(`${root}/caf\xe9`, 'latin1'), 'coffee');
    bk(['-C', root, 'commit', '-m', 'odd']);
    const [odd] = where('--encoded', 'caf%E9').files;
    expect(odd).toMatchObject({ path: 'caf%E9', encoded: true, copies: [{ path: 'caf%E9', encoded: true }] });
    expect(run(['-C', root, 'where', '--encoded', 'caf%E9']).stdout).toContain('caf\\xe9');
  });

  test('the setting says how many copies are enough', () => {
    expect(under()).toHaveLength(3);
    bk(['-C', root, 'config', 'copies', '1']);
    expect(under()).toEqual([]);
    expect(under('--min', '2', 'photos')).toEqual(['photos/2019/a.jpg 1', 'photos/b.jpg 1']);
  });
});

test('L07: a lost repository is told of, and is no copy', () => {
  repository(root);
  knowUnplugged(root, 'a', { name: 'disk', volume: 'v-a' });
  knowUnplugged(root, 'b', { name: 'twin', volume: 'v-a' });
  expect(told('notes.txt')).toEqual(['notes.txt: main disk twin']);
  const done = run(['-C', root, 'remote', 'remove', 'disk', '--lost']);
  expect([done.code, done.stderr]).toEqual([
    0,
    expect.stringContaining('twin is on the same volume and still counts'),
  ]);
  expect(told('notes.txt')).toEqual(['notes.txt: main twin']);
  expect(under('--min', '2')).toEqual([]);
  bk(['-C', root, 'remote', 'remove', 'bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb', '--lost']);
  expect(under('--min', '2')).toHaveLength(3);
  fs.rmSync(path.join(root, 'notes.txt'));
  const [file] = where('notes.txt').files;
  expect(file).toMatchObject({
    copies: [],
    lost: [
      { name: 'disk', lost: true, lostSince: expect.stringMatching(/^20/) },
      { name: 'twin', lost: true },
    ],
  });
  expect(run(['-C', root, 'where', 'notes.txt']).stdout).toMatch(
    /NOWHERE.*\n +disk +lost since 20.* no copy/,
  );
  expect(run(['-C', root, 'where']).stdout).toMatch(/notes\.txt +NOWHERE.*\(lost: disk, twin\)/);
  expect(run(['-C', root, 'where']).stdout).toMatch(/b\.jpg +here {2}\(lost: disk, twin\)/);
});

describe('disks', () => {
  test('two repositories on one volume count once, one that is unplugged counts', (context) => {
    needsFileSystem(context, 'ext4');
    const [first, second] = [mounted('ext4'), mounted('ext4')];
    const places = [path.join(first, 'one'), path.join(first, 'two'), path.join(second, 'three')];
    for (const place of places) bk(['init', place]);
    const [one, two, three] = places.map(volumeIdOf);
    expect(one).toBe(two);
    expect(three).not.toBe(one);
    repository(root);
    places.forEach((place, i) => {
      knowUnplugged(root, 'abc'[i] ?? '', { name: path.basename(place), volume: volumeIdOf(place) });
    });
    unmount(second);
    expect(told('notes.txt')).toEqual(['notes.txt: main one two three']);
    expect(under('--min', '3')).toEqual([]);
    expect(under('--min', '4')).toEqual(['notes.txt 3', 'photos/2019/a.jpg 3', 'photos/b.jpg 3']);
    fs.appendFileSync(path.join(root, 'notes.txt'), '!');
    expect(told('notes.txt')).toEqual(['notes.txt: one two three']);
    expect(under('--min', '3')).toEqual(['notes.txt 2']);
  });

  test('clones on two volumes, one of them unplugged', (context) => {
    needs(context, 'the verb clone', run(['clone', '--help']).code === 0);
    needsFileSystem(context, 'ext4');
    const [first, second] = [mounted('ext4'), mounted('ext4')];
    repository(root);
    bk(['-C', root, 'clone', path.join(first, 'one')]);
    bk(['-C', root, 'clone', '--subset', 'photos', path.join(first, 'two')]);
    bk(['-C', root, 'clone', path.join(second, 'three')]);
    bk(['-C', root, 'fetch']);
    expect(told('notes.txt')[0]?.split(' ').sort()).toEqual(['main', 'notes.txt:', 'one', 'three']);
    expect(told('photos/b.jpg')[0]?.split(' ').sort()).toEqual([
      'main',
      'one',
      'photos/b.jpg:',
      'three',
      'two',
    ]);
    unmount(second);
    expect(under('--min', '3')).toEqual([]);
    expect(under('--min', '4')).toHaveLength(3);
    const there = bk(['-C', path.join(first, 'two'), 'where', 'notes.txt']) as Where;
    expect(there.files).toMatchObject([{ path: 'notes.txt', present: false }]);
    expect(there.files[0]?.copies.map(({ name }) => name)).toContain('main');
    fs.rmSync(path.join(root, 'photos'), { recursive: true });
    expect(under('--min', '2')).toEqual([]);
    expect(under('--min', '3')).toEqual(['photos/2019/a.jpg 2', 'photos/b.jpg 2']);
  });
});
