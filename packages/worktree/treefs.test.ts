import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { FsName, FsPath } from '@bk/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TreeFs } from './treefs.ts';

let base: string;
let root: string;
let outside: string;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-treefs-'));
  root = path.join(base, 'root');
  outside = path.join(base, 'outside');
  for (const dir of [root, outside, path.join(root, '.bk')]) fs.mkdirSync(dir);
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

const name = (text: string) => text as FsName;
const folder = (text: string) => text as FsPath;
const bytes = (text: string) => Buffer.concat([Buffer.from(`${root}/`), Buffer.from(text, 'latin1')]);
const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'done';
  } catch (error) {
    return String((error as { code?: unknown }).code);
  }
};

describe.each([
  ['anchored', true],
  ['without /proc', false],
])('TreeFs, %s', (_, anchored) => {
  let tree: TreeFs;
  beforeEach(() => {
    tree = new TreeFs(root, { anchored });
  });
  afterEach(() => tree.close());

  it('does everything with names of any bytes', () => {
    const odd = 'caf\xe9 \xff\n"';
    const top = tree.openFolder(folder(''));
    tree.makeFolder(top, name(odd), 0o700);
    const inside = tree.openFolder(folder(odd));
    const source = path.join(root, '.bk', 'source');
    fs.writeFileSync(source, 'content', { mode: 0o600 });
    tree.linkInto(source, inside, name('\xfe'));
    tree.makeSymlink('../\xfd', inside, name('link'));
    fs.writeSync(tree.createFile(inside, name('made')), 'made');
    const linked = tree.look(inside, name('\xfe'))!;
    expect(tree.setMode(inside, name('\xfe'), { inode: linked.ino, mode: 0o4751 })).toBe(true);
    tree.setMtime(inside, name('\xfe'), -3_500_000_000n);
    tree.setMtime(inside, name('link'), 1_000_000_000_250_000_000n);
    tree.sync(inside);

    const stat = fs.statSync(bytes(`${odd}/\xfe`), { bigint: true });
    expect({ ino: stat.ino, mode: stat.mode & 0o7777n, mtime: stat.mtimeNs }).toEqual({
      ino: fs.statSync(source, { bigint: true }).ino,
      mode: 0o751n,
      mtime: -3_500_000_000n,
    });
    expect(tree.readLink(inside, name('link'))).toBe('../\xfd');
    expect(tree.look(inside, name('link'))!.mtimeNs).toBe(1_000_000_000_250_000_000n);
    expect(fs.readFileSync(bytes(`${odd}/made`), 'utf8')).toBe('made');
    tree.capture(inside, name('made'), path.join(root, '.bk', 'captured'));
    expect(tree.look(inside, name('made'))).toBeUndefined();
    expect(fs.readFileSync(path.join(root, '.bk', 'captured'), 'utf8')).toBe('made');
  });

  it('never overwrites', () => {
    const top = tree.openFolder(folder(''));
    fs.writeFileSync(path.join(root, 'there'), 'mine');
    const source = path.join(root, '.bk', 'source');
    fs.writeFileSync(source, 'theirs');
    expect(codeOf(() => tree.linkInto(source, top, name('there')))).toBe('EEXIST');
    expect(codeOf(() => tree.createFile(top, name('there')))).toBe('EEXIST');
    expect(codeOf(() => tree.makeSymlink('x', top, name('there')))).toBe('EEXIST');
    expect(codeOf(() => tree.makeFolder(top, name('there'), 0o700))).toBe('EEXIST');
    expect(codeOf(() => tree.moveInto(source, top, name('there')))).toBe('EEXIST');
    expect(tree.removeOwn(top, name('there'), 1n)).toBe(false);
    expect(fs.readFileSync(path.join(root, 'there'), 'utf8')).toBe('mine');
  });

  it.each([
    '',
    '.',
    '..',
    'a/b',
    '/etc',
    'a\0b',
    '.bk',
    '.BK',
    '.bk ',
    '.b\xe2\x80\x8ck',
    'bk~1',
    '.bk::$INDEX_ALLOCATION',
  ])('refuses the name %j', (bad) => {
    const top = tree.openFolder(folder(''));
    expect(codeOf(() => tree.makeFolder(top, name(bad), 0o700))).toBe('refused');
    expect(codeOf(() => tree.look(top, name(bad)))).toBe('refused');
    expect(codeOf(() => tree.capture(top, name(bad), path.join(base, 'x')))).toBe('refused');
    expect(fs.readdirSync(root)).toEqual(['.bk']);
  });

  it('walks through no symlink, no file, and into no other repository', () => {
    fs.symlinkSync(outside, path.join(root, 'out'));
    fs.writeFileSync(path.join(root, 'file'), '');
    fs.mkdirSync(path.join(root, 'other', '.bk'), { recursive: true });
    expect(codeOf(() => tree.openFolder(folder('out')))).toBe('ENOTDIR');
    expect(codeOf(() => tree.openFolder(folder('file')))).toBe('ENOTDIR');
    expect(codeOf(() => tree.openFolder(folder('none')))).toBe('ENOENT');
    expect(codeOf(() => tree.openFolder(folder('../outside')))).toBe('refused');
    expect(codeOf(() => tree.openFolder(folder('.bk')))).toBe('refused');
    expect(codeOf(() => tree.openFolder(folder('other')))).toBe('refused');
  });

  it('sets the mode of the file it means only, never through a link', () => {
    const canary = path.join(outside, 'canary');
    fs.writeFileSync(canary, '', { mode: 0o600 });
    fs.symlinkSync(canary, path.join(root, 'link'));
    const top = tree.openFolder(folder(''));
    const link = tree.look(top, name('link'))!;
    expect(tree.setMode(top, name('link'), { inode: link.ino, mode: 0o777 })).toBe(false);
    fs.writeFileSync(path.join(root, 'other'), '', { mode: 0o600 });
    expect(tree.setMode(top, name('other'), { inode: link.ino, mode: 0o777 })).toBe(false);
    expect(fs.statSync(canary).mode & 0o777).toBe(0o600);
    expect(fs.statSync(path.join(root, 'other')).mode & 0o777).toBe(0o600);
  });

  it('holds a bounded number of folders, and a folder that was let go is not used', () => {
    for (let i = 0; i < 300; i++) fs.mkdirSync(path.join(root, `d${i}`));
    const before = openDescriptors();
    const first = tree.openFolder(folder('d0'));
    for (let i = 1; i < 300; i++) tree.openFolder(folder(`d${i}`));
    expect(openDescriptors() - before).toBeLessThan(110);
    expect(codeOf(() => tree.makeFolder(first, name('x'), 0o700))).toBe('bug');
    tree.close();
    expect(openDescriptors()).toBe(before);
  });
});

function openDescriptors(): number {
  return fs.readdirSync('/proc/self/fd').length;
}

/** Swaps `victim` for a symlink to `outside` and back, as fast as it can, until it is killed. */
const RACER = `
const fs = require('node:fs');
const [victim, aside, outside] = process.argv.slice(1);
process.stdout.write('.');
for (;;) { try { fs.renameSync(victim, aside); fs.symlinkSync(outside, victim); fs.unlinkSync(victim); fs.renameSync(aside, victim); } catch {} }`;

describe('a parent that is swapped for a symlink', () => {
  it('redirects no write (RELIABILITY S04)', async () => {
    const victim = path.join(root, 'victim');
    fs.mkdirSync(victim);
    fs.mkdirSync(path.join(outside, 'sub'));
    fs.writeFileSync(path.join(outside, 'canary'), 'safe', { mode: 0o600 });
    fs.utimesSync(path.join(outside, 'canary'), 1000, 1000);
    const source = path.join(root, '.bk', 'source');
    fs.writeFileSync(source, 'x');
    const racer = spawn(process.execPath, ['-e', RACER, victim, path.join(root, 'aside'), outside]);
    await new Promise((resolve) => racer.stdout.once('data', resolve));
    const tree = new TreeFs(root);
    const counts = { done: 0, lost: 0 };
    try {
      const both = () => counts.done > 100 && counts.lost > 100;
      for (let round = 0; round < 600 || (!both() && round < 20_000); round++) {
        const work: (() => void)[] = actions(tree, source, round);
        for (const act of work) codeOf(act) === 'done' ? counts.done++ : counts.lost++;
        tree.forget();
      }
    } finally {
      racer.kill('SIGKILL');
      await new Promise((resolve) => racer.once('close', resolve));
      tree.close();
    }
    expect(fs.readdirSync(outside).sort()).toEqual(['canary', 'sub']);
    expect(fs.readdirSync(path.join(outside, 'sub'))).toEqual([]);
    const canary = fs.statSync(path.join(outside, 'canary'));
    expect([canary.mode & 0o777, canary.mtimeMs]).toEqual([0o600, 1_000_000]);
    // Both happened, so the race was run.
    expect(counts.done).toBeGreaterThan(100);
    expect(counts.lost).toBeGreaterThan(100);
  });
});

function actions(tree: TreeFs, source: string, round: number): (() => void)[] {
  const at = () => tree.openFolder(folder('victim'));
  const captured = path.join(root, '.bk', `captured-${round}`);
  return [
    () => tree.linkInto(source, at(), name(`link-${round}`)),
    () => fs.closeSync(tree.createFile(at(), name(`file-${round}`))),
    () => tree.makeFolder(at(), name(`dir-${round}`), 0o700),
    () => tree.makeSymlink('x', at(), name(`symlink-${round}`)),
    () => tree.openFolder(folder('victim/sub')),
    () => tree.capture(at(), name('canary'), captured),
    () => tree.setMtime(at(), name('canary'), 5_000_000_000n),
    () =>
      void tree.setMode(at(), name('canary'), { inode: tree.look(at(), name('canary'))!.ino, mode: 0o777 }),
    () => tree.capture(at(), name(`file-${round}`), captured),
  ];
}
