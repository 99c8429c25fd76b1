import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { encodePath, type FsPath, type RepoPath } from '@bk/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountLoop } from '../../fixtures/loop-mount.ts';
import { check } from './check.ts';
import { commit } from './commit.ts';
import type { Context } from './context.ts';
import { doctor } from './doctor.ts';
import { init } from './init.ts';
import { setAbsent } from './presence/absence.ts';
import { listRecoverable, type RecoverOptions, recover } from './recover.ts';
import { reindex } from './reindex.ts';
import { openRepository, type Repository } from './repository.ts';
import { type RestoreOptions, restore } from './restore.ts';
import { safety } from './safety.ts';

const DAY_MS = 86_400_000;
let root = '';
let clock = 0;
const context: Context = { report: () => {}, nowMs: () => clock++, random: (bytes) => randomBytes(bytes) };

beforeEach(() => {
  clock = new Date(2026, 9, 1, 12).getTime();
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-recover-'));
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const at = (name: string) => Buffer.from(`${root}/${name}`, 'latin1');
const paths = (...names: string[]) => names as RepoPath[];
function write(name: string, text: string, mode = 0o644): void {
  fs.mkdirSync(path.dirname(at(name).toString('latin1')), { recursive: true });
  fs.writeFileSync(at(name), text);
  fs.chmodSync(at(name), mode);
}
const read = (name: string) => fs.readFileSync(at(name), 'utf8');
/** As editors do that keep the old file until the new one is whole. */
function saveAtomically(name: string, text: string): void {
  write(`${name}.new`, text);
  fs.renameSync(at(`${name}.new`), at(name));
}

async function within<T>(work: (repo: Repository) => T | Promise<T>): Promise<T> {
  const repo = openRepository(root);
  try {
    return await work(repo);
  } finally {
    repo.close();
  }
}
const committed = (deletions: 'confirmed' | 'kept' = 'kept') =>
  within((repo) => commit(repo, { message: 'x', deletions, allowMassDelete: true }, context));
const begun = async () => {
  init(root, {}, context);
  await committed();
};
const recovered = (options: RecoverOptions) => within((repo) => recover(repo, options, context));
const restored = (options: RestoreOptions) => within((repo) => restore(repo, options, context));
const listed = (options: Partial<RecoverOptions> = {}) =>
  within(async (repo) => (await listRecoverable(repo, options, context)).recoverable);
const changes = () => within(async (repo) => (await commit(repo, { dryRun: true }, context)).changes);

interface Shape {
  readonly [path: string]: string;
}
/** Everything below the root but `.bk`: kind, mode, mtime in ns of files and links, content. */
function shape(): Shape {
  const found: Record<string, string> = {};
  const visit = (folder: string): void => {
    for (const name of fs.readdirSync(at(folder), 'latin1')) {
      const below = folder === '' ? name : `${folder}/${name}`;
      if (below === '.bk') continue;
      const stat = fs.lstatSync(at(below), { bigint: true });
      const mode = (stat.mode & 0o7777n).toString(8);
      if (stat.isDirectory()) {
        found[below] = `dir ${mode}`;
        visit(below);
      } else if (stat.isSymbolicLink())
        found[below] = `link ${stat.mtimeNs} ${fs.readlinkSync(at(below), 'latin1')}`;
      else found[below] = `file ${mode} ${stat.mtimeNs} ${read(below)}`;
    }
  };
  visit('');
  return found;
}

describe('recover', () => {
  function folder(): void {
    write('d/a', 'content a', 0o640);
    write('d/b', 'content b', 0o600);
    write('d/caf\xe9 \xff', 'odd name', 0o755);
    write('d/sub/same1', 'same');
    write('d/sub/same2', 'same');
    write('d/none', '');
    fs.mkdirSync(at('d/empty/deep'), { recursive: true });
    fs.chmodSync(at('d/sub'), 0o750);
    fs.symlinkSync(Buffer.from('nowhere\xff', 'latin1'), at('d/link'));
    fs.linkSync(at('d/a'), at('d/hard'));
    write('stays', 'stays');
  }

  it.each(['not committed', 'kept', 'confirmed but still held'])(
    'D01, D02: a deleted folder comes back as it was: %s',
    async (how) => {
      folder();
      await begun();
      if (how.startsWith('confirmed'))
        await within((repo) =>
          fs.writeFileSync(
            repo.layout.config,
            JSON.stringify({ ...repo.config, settings: { 'safety.release': 'age:90' } }),
          ),
        );
      const before = shape();
      fs.rmSync(at('d'), { recursive: true });
      if (how !== 'not committed') await committed(how === 'kept' ? 'kept' : 'confirmed');
      const result = await recovered({ paths: paths('d') });
      expect(result.failed).toEqual([]);
      expect(result.recovered.map((each) => each.path)).toEqual(
        [
          'd/a',
          'd/b',
          'd/caf\xe9 \xff',
          'd/empty/deep',
          'd/hard',
          'd/link',
          'd/none',
          'd/sub',
          'd/sub/same1',
          'd/sub/same2',
        ].map((name) => encodePath(name as FsPath)),
      );
      expect(shape()).toEqual(before);
      const inode = (name: string) => fs.lstatSync(at(name)).ino;
      expect(inode('d/a')).toBe(inode('d/hard'));
      expect(inode('d/sub/same1')).not.toBe(inode('d/sub/same2'));
      if (how === 'not committed') expect(await changes()).toEqual([]);
      const again = await recovered({ paths: paths('d') });
      expect(again).toEqual({ recovered: [], failed: [] });
    },
  );

  it('keeps the ids of what comes back', async () => {
    write('d/a', 'content a');
    await begun();
    const id = async () => (await within((repo) => repo.index.known('d' as RepoPath)))!.ids.slice(16, 32);
    const before = await id();
    fs.rmSync(at('d'), { recursive: true });
    await committed();
    await recovered({ all: true });
    await committed();
    expect(await id()).toEqual(before);
    expect(await listed()).toEqual([]);
  });

  it('D03: what is in the way stays; the file comes back beside it, once', async () => {
    write('report.tar.gz', 'old');
    await begun();
    fs.rmSync(at('report.tar.gz'));
    await committed();
    write('report.tar.gz', 'mine');
    const first = await recovered({ all: true });
    expect(first.recovered).toEqual([
      { path: 'report (recovered 2026-10-01).tar.gz', from: 'safety', was: 'report.tar.gz' },
    ]);
    expect(await recovered({ all: true })).toEqual({ recovered: [], failed: [] });
    expect(read('report.tar.gz')).toBe('mine');
    expect(read('report (recovered 2026-10-01).tar.gz')).toBe('old');
  });

  it('D04: where a parent is a file or a symlink now, the folder gets another name, and nothing is followed', async () => {
    const outside = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-outside-'));
    write('one/a', 'a');
    write('two/b', 'b');
    await begun();
    fs.rmSync(at('one'), { recursive: true });
    fs.rmSync(at('two'), { recursive: true });
    write('one', 'a file');
    fs.symlinkSync(outside, at('two'));
    const { failed } = await recovered({ all: true });
    expect(failed).toEqual([]);
    expect(read('one (recovered 2026-10-01)/a')).toBe('a');
    expect(read('two (recovered 2026-10-01)/b')).toBe('b');
    expect(read('one')).toBe('a file');
    expect(fs.readdirSync(outside)).toEqual([]);
    fs.rmSync(outside, { recursive: true });
  });

  it('D10: the version before an atomic save, committed or not', async () => {
    write('a.txt', 'first');
    await begun();
    saveAtomically('a.txt', 'second');
    await committed();
    saveAtomically('a.txt', 'third');
    const list = await listed();
    expect(
      list.map(({ path, reason, deletedIn, from }) => ({ path, reason, gone: deletedIn !== null, from })),
    ).toEqual([
      { path: 'a.txt', reason: 'replaced', gone: false, from: 'safety' },
      { path: 'a.txt', reason: 'replaced', gone: true, from: 'safety' },
    ]);
    expect((await recovered({ paths: paths('a.txt') })).failed).toEqual([]);
    expect([read('a.txt'), read('a (recovered 2026-10-01).txt')]).toEqual(['third', 'second']);
    expect((await recovered({ paths: paths('a.txt'), at: 'HEAD~1' })).failed).toEqual([]);
    expect(read('a (recovered 2026-10-01) 2.txt')).toBe('first');
  });

  it('D08: what was written over in place is not offered as what it was', async () => {
    write('a', 'old content');
    write('b', 'other old 1');
    await begun();
    fs.writeFileSync(at('a'), 'NEW CONTENT');
    expect((await listed()).map(({ path }) => path)).toEqual([]);
    const { recovered: none, failed } = await recovered({ paths: paths('a') });
    expect(none).toEqual([]);
    expect(failed).toEqual([{ path: 'a', reason: 'no copy of its content can be reached' }]);
  });

  it('takes an equal content from the folder where the net has none', async () => {
    write('a', 'shared');
    write('copy', 'shared');
    await begun();
    fs.rmSync(path.join(root, '.bk', 'safety'), { recursive: true });
    fs.rmSync(at('a'));
    const { recovered: done } = await recovered({ paths: paths('a') });
    expect(done).toEqual([{ path: 'a', from: 'folder' }]);
    expect(read('a')).toBe('shared');
    expect(fs.lstatSync(at('a')).ino).not.toBe(fs.lstatSync(at('copy')).ino);
  });

  it('puts everything below another folder, here or elsewhere, with relative paths', async () => {
    const elsewhere = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-elsewhere-'));
    write('d/sub/a', 'a', 0o640);
    await begun();
    fs.rmSync(at('d'), { recursive: true });
    await recovered({ all: true, to: path.join(elsewhere, 'x') });
    await recovered({ all: true, to: path.join(root, 'back') });
    expect(read('back/d/sub/a')).toBe('a');
    const copy = path.join(elsewhere, 'x/d/sub/a');
    expect(fs.readFileSync(copy, 'utf8')).toBe('a');
    expect(fs.statSync(copy).mode & 0o777).toBe(0o640);
    expect(fs.statSync(copy).ino).not.toBe(fs.statSync(at('back/d/sub/a')).ino);
    fs.rmSync(elsewhere, { recursive: true });
  });

  it('touches nothing under a dry run, refuses to guess, and says what it does not know', async () => {
    write('a', 'a');
    await begun();
    fs.rmSync(at('a'));
    expect((await recovered({ all: true, dryRun: true })).recovered).toEqual([{ path: 'a', from: 'safety' }]);
    expect(fs.existsSync(at('a'))).toBe(false);
    await expect(recovered({})).rejects.toMatchObject({ code: 'usage' });
    expect((await recovered({ paths: paths('never') })).failed).toHaveLength(1);
  });

  it('on btrfs: exact, from reflinks; an in-place edit costs nothing', async ({ skip }) => {
    const mount = mountLoop('btrfs');
    if (mount === undefined) return skip('no btrfs here');
    const before = root;
    try {
      root = path.join(mount.point, 'root');
      fs.mkdirSync(root);
      folder();
      await begun();
      const was = shape();
      fs.writeFileSync(at('stays'), 'EDITED');
      fs.rmSync(at('d'), { recursive: true });
      expect((await recovered({ all: true })).failed).toEqual([]);
      expect({ ...shape(), stays: '' }).toEqual({ ...was, stays: '' });
      expect((await restored({ paths: paths('stays') })).failed).toEqual([]);
      expect(shape()).toEqual(was);
    } finally {
      root = before;
      mount.unmount();
    }
  });
});

describe('restore', () => {
  it('puts back contents and metadata, and what it replaces can be recovered', async () => {
    write('d/a', 'first', 0o640);
    write('d/b', 'same', 0o600);
    fs.symlinkSync('one', at('d/link'));
    await begun();
    const before = shape();
    saveAtomically('d/a', 'second');
    await committed();
    saveAtomically('d/a', 'never committed');
    fs.chmodSync(at('d/b'), 0o666);
    fs.utimesSync(at('d/b'), 1, 1);
    fs.rmSync(at('d/link'));
    fs.symlinkSync('two', at('d/link'));
    write('d/new', 'new');
    const { recovered: done, failed } = await restored({ paths: paths('d'), at: 'HEAD~1' });
    expect(failed).toEqual([]);
    expect(done.map(({ path, from, replaced }) => [path, from, replaced !== undefined])).toEqual([
      ['d/a', 'safety', true],
      ['d/b', 'history', false],
      ['d/link', 'history', true],
    ]);
    expect(shape()).toEqual({ ...before, 'd/new': shape()['d/new'] });
    expect(await restored({ paths: paths('d'), at: 'HEAD~1' })).toEqual({ recovered: [], failed: [] });
    await recovered({ paths: paths('d/a') });
    const texts = fs
      .readdirSync(at('d'))
      .filter((name) => name.startsWith('a'))
      .map((name) => read(`d/${name}`));
    expect(texts).toContain('never committed');
  });

  it('is remembered by a new index, and known to check, where no commit had what it replaced', async () => {
    write('a', 'first');
    await begun();
    saveAtomically('a', 'never committed');
    await restored({ paths: paths('a') });
    expect(await within((repo) => check(repo, {}, context))).toEqual({ ok: true, problems: [] });
    await within((repo) => reindex(repo, context));
    expect((await listed()).map(({ path, deletedIn, from }) => [path, deletedIn, from])).toEqual([
      ['a', null, 'safety'],
    ]);
  });

  it('does not list what it could not replace', async () => {
    for (const name of ['a', 'b']) write(name, `first ${name}`);
    await begun();
    for (const name of ['a', 'b']) saveAtomically(name, `never committed ${name}`);
    let placed = 0;
    const report = (): void => {
      if (placed++ === 0) saveAtomically('b', 'saved meanwhile');
    };
    const onPlacing: Context = {
      ...context,
      report: (progress) => (progress.phase === 'recover' ? report() : undefined),
    };
    const { recovered: done, failed } = await within((repo) =>
      restore(repo, { paths: paths('a', 'b') }, onPlacing),
    );
    expect([placed > 0, done.map(({ path }) => path), failed.map(({ path }) => path)]).toEqual([
      true,
      ['a'],
      ['b'],
    ]);
    expect(read('b')).toBe('saved meanwhile');
    const known = await within((repo) => repo.uncommitted());
    expect(known.map(({ path }) => path)).toEqual(['a']);
    expect(await within((repo) => check(repo, {}, context))).toEqual({ ok: true, problems: [] });
  });

  it('keeps what somebody put where the head has a file that is not here', async () => {
    write('a', 'first', 0o640);
    await begun();
    const { mtime } = fs.statSync(at('a'));
    await within((repo) => {
      repo.beginWriting();
      setAbsent(repo, paths('a'), context);
    });
    fs.rmSync(at('a'));
    write('a', 'OTHER', 0o640);
    fs.utimesSync(at('a'), mtime, mtime);
    expect((await restored({ paths: paths('a') })).failed.length).toBe(0);
    expect(read('a')).toBe('first');
    await recovered({ paths: paths('a') });
    expect(read('a (recovered 2026-10-01)')).toBe('OTHER');
  });

  it('only mode and mtime, whatever the content', async () => {
    write('a', 'first', 0o640);
    fs.utimesSync(at('a'), 1_600_000_000, 1_600_000_000);
    await begun();
    saveAtomically('a', 'second');
    await restored({ paths: paths('a'), only: ['mtime'] });
    const stat = fs.statSync(at('a'), { bigint: true });
    expect([read('a'), stat.mtimeNs, stat.mode & 0o777n]).toEqual([
      'second',
      1_600_000_000_000_000_000n,
      0o644n,
    ]);
    await restored({ paths: paths('a'), only: ['mode'] });
    expect(fs.statSync(at('a')).mode & 0o777).toBe(0o640);
  });

  it('makes missing folders again, and tells what it cannot put back', async () => {
    write('d/sub/a', 'a');
    fs.chmodSync(at('d'), 0o700);
    await begun();
    fs.rmSync(at('d'), { recursive: true });
    const { failed } = await restored({ paths: paths('d/sub/a', 'never') });
    expect(failed).toEqual([{ path: 'never', reason: expect.stringMatching(/^not in commit/) }]);
    expect([read('d/sub/a'), fs.statSync(at('d')).mode & 0o777]).toEqual(['a', 0o700]);
    fs.rmSync(at('d/sub/a'));
    fs.mkdirSync(at('d/sub/a'));
    expect((await restored({ paths: paths('d') })).failed).toEqual([
      { path: 'd/sub/a', reason: 'a folder is in its place' },
    ]);
  });
});

describe('safety', () => {
  it('says what is held, and lets go what policy allows, only', async () => {
    for (const name of ['a', 'b', 'c']) write(name, `content ${name}`);
    await begun();
    const status = () => within((repo) => safety(repo, { do: 'status' }, context));
    expect(await status()).toMatchObject({
      entries: 3,
      bytes: 27,
      held: { entries: 0 },
      releasable: { entries: 0, bytes: 0 },
      unprotected: 0,
    });
    fs.rmSync(at('a'));
    await committed('kept');
    saveAtomically('b', 'new');
    await committed();
    expect(await status()).toMatchObject({
      entries: 4,
      held: { entries: 2, bytes: 18 },
      releasable: { entries: 0 },
    });
    clock += 31 * DAY_MS;
    const dry = await within((repo) => safety(repo, { do: 'release', dryRun: true }, context));
    expect(dry.released).toEqual({ entries: 1, bytes: 9 });
    const done = await within((repo) => safety(repo, { do: 'release' }, context));
    expect(done).toMatchObject({ released: { entries: 1, bytes: 9 }, entries: 3, held: { entries: 1 } });
    expect((await listed()).map(({ path }) => path)).toEqual(['a']);
    const checked = await within((repo) => safety(repo, { do: 'check' }, context));
    expect(checked).toMatchObject({ ok: true, problems: [] });
  });

  it('finds a content that is not what its name says', async () => {
    write('a', 'old content');
    await begun();
    fs.writeFileSync(at('a'), 'NEW CONTENT');
    const { ok, problems } = await within((repo) => safety(repo, { do: 'check' }, context));
    expect(ok).toBe(false);
    expect(problems).toHaveLength(1);
  });
});

describe('doctor', () => {
  it.each([
    ['ext4', { deletion: 'full', replacement: 'full', overwrite: 'none' }],
    ['btrfs', { deletion: 'full', replacement: 'full', overwrite: 'full' }],
    ['exfat', { deletion: 'small-files', replacement: 'small-files', overwrite: 'small-files' }],
  ] as const)('says truthfully what %s protects', async (type, protection) => {
    const mount = mountLoop(type);
    if (mount === undefined) return;
    const before = root;
    try {
      root = path.join(mount.point, 'root');
      fs.mkdirSync(root);
      write('a', 'content');
      write('large', 'x'.repeat(3 << 20));
      await begun();
      const found = await within((repo) => doctor(repo, context));
      expect(found.protection).toEqual(protection);
      expect(found.fileSystem).toBe(type === 'exfat' ? 'fuseblk' : type);
      expect(fs.readdirSync(path.join(root, '.bk', 'staging'))).toEqual([]);
      await provesTrue(protection);
    } finally {
      root = before;
      mount.unmount();
    }
  });

  /** What doctor says is what happens to a small and a large file. */
  async function provesTrue(protection: {
    readonly deletion: string;
    readonly overwrite: string;
  }): Promise<void> {
    fs.rmSync(at('a'));
    fs.rmSync(at('large'));
    const back = (await recovered({ all: true })).recovered.map((each) => each.path);
    expect(back).toEqual(protection.deletion === 'full' ? ['a', 'large'] : ['a']);
    await committed();
    fs.writeFileSync(at('a'), 'CONTENT');
    const offered = (await listed({ paths: paths('a') })).length;
    expect(offered).toBe(protection.overwrite === 'none' ? 0 : 1);
  }
});
