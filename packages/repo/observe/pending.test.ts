import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { KIND, parseRecord, type RepoPath, ROOT } from '@bk/core';
import { walkTree } from '@bk/store';
import { hashBytes } from '@bk/worktree';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { png } from '../../../fixtures/media/png.ts';
import { openRepository } from '../repository.ts';
import { hashAt } from './draft.ts';

const FILES = 600;
/** Files read in one task: what was read is noted task by task. */
const BATCH = 256;
let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-pending-'));
  fs.mkdirSync(path.join(root, 'sub'));
  for (let i = 0; i < FILES; i++) fs.writeFileSync(place(i), `content ${i}`);
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const place = (i: number) => path.join(root, i % 2 === 0 ? 'sub' : '', `f${i}`);

interface Doing {
  /** When it ends: after hashes were noted down so often, or when the net is extended; then how. */
  readonly at?: number | 'protect';
  readonly end?: 'kill' | 'throw';
  /** Seconds by which the clock is ahead of the file system's: fresh files are old ones then. */
  readonly ahead?: number;
}

/** Commits in a process of its own that notes down its hashes at once. @returns how many files it opened to read them */
function committing({ at = -1, end = 'kill', ahead = 60 }: Doing = {}): number {
  const program = `
    import fs from 'node:fs';
    import { randomBytes } from 'node:crypto';
    import { commit, init, openRepository } from ${JSON.stringify(path.join(import.meta.dirname, '../index.ts'))};
    import { IndexDb } from '@bk/store';
    const [root, at, end, ahead] = process.argv.slice(1);
    const now = Date.now;
    Date.now = () => now() + Number(ahead) * 1000;
    let opened = 0;
    const open = fs.openSync;
    fs.openSync = (file, flags, mode) => {
      if (String(file).startsWith(root + '/') && !String(file).includes('/.bk') && !(flags & fs.constants.O_DIRECTORY)) opened++;
      return open(file, flags, mode);
    };
    const stop = () => end === 'kill' ? process.kill(process.pid, 'SIGKILL') : (() => { throw new Error('stopped'); })();
    const report = ({ phase }) => phase === at && stop();
    let notes = 0;
    const write = IndexDb.prototype.write;
    IndexDb.prototype.write = function (update) {
      write.call(this, update);
      if (update.pending !== undefined && ++notes === Number(at)) stop();
    };
    const context = { report, nowMs: now, random: (n) => randomBytes(n) };
    if (!fs.existsSync(root + '/.bk')) init(root, {}, context);
    const repo = openRepository(root);
    await commit(repo, {}, context).catch((error) => { if (error.message !== 'stopped') throw error; });
    repo.close();
    process.stdout.write(String(opened));`;
  const env = { ...process.env, BK_FLUSH_MS: '0', BK_THREADS: '0' };
  const args = ['--input-type=module', '-e', program, root, String(at), end, String(ahead)];
  const done = spawnSync(process.execPath, args, { env, encoding: 'utf8', cwd: import.meta.dirname });
  if (at !== -1 && end === 'kill') expect(done.signal).toBe('SIGKILL');
  else if (done.status !== 0) throw new Error(done.stderr);
  return Number(done.stdout);
}

/** Every file is in the head with the hash of what it holds. */
function expectAllCommitted(): void {
  const repo = openRepository(root);
  let files = 0;
  for (const [folder, known] of repo.index.below(ROOT)) {
    known.listing.names.forEach((name, k) => {
      if (known.listing.kinds[k] !== KIND.file) return;
      files++;
      expect(hashAt(known, k), name).toBe(
        hashBytes(fs.readFileSync(path.join(root, folder as RepoPath, name))),
      );
    });
  }
  expect(files).toBe(FILES);
  expect(repo.index.hasPending()).toBe(false);
  repo.close();
}

describe('an interrupted commit', () => {
  it.each([
    ['killed while it reads', { at: 2, end: 'kill' }, FILES - 2 * BATCH],
    ['stopped by an error when it has read all', { at: 3, end: 'throw' }, 0],
    ['killed while the net is extended', { at: 'protect', end: 'kill' }, 0],
  ] as const)('%s does not read again what it had read', (_, doing, left) => {
    committing(doing);
    expect(committing()).toBe(left);
    expectAllCommitted();
    expect(committing()).toBe(0);
  });

  it('keeps what media said of themselves', () => {
    for (let n = 0; n < FILES; n++) fs.writeFileSync(place(n), png(n % 256, `number ${n}`));
    committing({ at: 3, end: 'throw' });
    expect(committing()).toBe(0);
    const repo = openRepository(root);
    const { tree } = repo.history.readCommit(repo.head!);
    const found = [...walkTree(repo.history, tree)].map(({ id }) =>
      parseRecord(repo.history.readBlobText(id)),
    );
    const titles = found.filter(({ type }) => type === 'file').map(({ media }) => media?.['title']);
    expect(titles.sort()).toEqual(Array.from({ length: FILES }, (_, n) => `number ${n}`).sort());
    expect(repo.index.pendingFacts(hashBytes(png(1, 'number 1')))).toBeUndefined();
    repo.close();
  });

  it('interrupted again and again comes to its end', () => {
    committing({ at: 1 });
    committing({ at: 1 });
    expect(committing()).toBe(FILES - 2 * BATCH);
    expectAllCommitted();
  });

  it('reads again what changed meanwhile', () => {
    committing({ at: 'protect' });
    fs.writeFileSync(place(1), 'CONTENT 1');
    fs.appendFileSync(place(2), '!');
    fs.writeFileSync(path.join(root, 'new'), 'content 3');
    fs.renameSync(path.join(root, 'new'), place(3));
    fs.utimesSync(place(4), 1_600_000_000, 1_600_000_000);
    expect(committing()).toBe(4);
    expectAllCommitted();
  });

  it('reads files again that had just been written: their times are no proof', () => {
    // By a clock that is behind they have just been written, however slow the machine is.
    committing({ at: 'protect', ahead: -60 });
    expect(committing({ ahead: -60 })).toBe(FILES);
    expectAllCommitted();
  });

  it('does not believe damaged notes', () => {
    committing({ at: 'protect' });
    const file = path.join(root, '.bk/index.sqlite');
    fs.writeFileSync(file, fs.readFileSync(file).fill(0x5a, 4_096));
    for (const suffix of ['-wal', '-shm']) fs.rmSync(file + suffix, { force: true });
    expect(committing()).toBe(FILES);
    expectAllCommitted();
  });
});
