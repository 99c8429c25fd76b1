import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { BkError } from '@bk/core';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Lock, lock, tryLock } from './lock.ts';

let base: string;
let file: string;
let others: ChildProcessByStdio<Writable, Readable, null>[] = [];
const mine: Lock[] = [];
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-lock-'));
  file = path.join(base, 'lock.sqlite');
});
afterEach(() => {
  for (const held of mine.splice(0)) held.release();
  for (const other of others) other.kill('SIGKILL');
  others = [];
  fs.rmSync(base, { recursive: true, force: true });
});

function take(waitMs?: number): Lock | undefined {
  const taken = tryLock(file, waitMs);
  if (taken !== undefined) mine.push(taken);
  return taken;
}

/** Another process that tries to take the lock and says whether it has it; it lets go when its input ends. */
async function other(waitMs = 0) {
  const program = `
    import { tryLock } from ${JSON.stringify(path.join(import.meta.dirname, 'lock.ts'))};
    const lock = tryLock(process.argv[1], Number(process.argv[2]));
    process.stdout.write(lock ? 'has' : 'not');
    process.stdin.on('end', () => { lock?.release(); process.exit(0); }).resume();
    globalThis.gc?.();`;
  const args = ['--expose-gc', '--input-type=module', '-e', program, file, String(waitMs)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  others.push(child);
  const said = async () => String((await once(child.stdout, 'data'))[0]);
  return { child, said };
}

/** What a writer that was killed with its changes half in the file leaves. */
function leaveJournal(): void {
  const program = `
    import Database from 'better-sqlite3';
    const db = new Database(process.argv[1]);
    db.pragma('cache_size = 1');
    db.exec('BEGIN EXCLUSIVE; CREATE TABLE u (a); INSERT INTO u VALUES (zeroblob(100000))');
    process.kill(process.pid, 'SIGKILL');`;
  spawnSync(process.execPath, ['--input-type=module', '-e', program, file], { cwd: import.meta.dirname });
  expect(fs.readFileSync(`${file}-journal`)[0]).not.toBe(0);
}

describe('the lock', () => {
  it('is held by one process at a time, and free again when it is released', async () => {
    const first = await other();
    expect(await first.said()).toBe('has');
    expect(take()).toBeUndefined();
    expect(() => lock(file, 0)).toThrow(expect.objectContaining({ code: 'locked' }));
    const second = await other();
    expect(await second.said()).toBe('not');
    first.child.stdin.end();
    await once(first.child, 'exit');
    expect(take()).toBeDefined();
    const third = await other();
    expect(await third.said()).toBe('not');
  });

  it('is held once in a process too, and given back once', () => {
    const first = take();
    expect(take()).toBeUndefined();
    first?.release();
    first?.release();
    expect(take()).toBeDefined();
  });

  it('is free at once when its holder is killed', async () => {
    const holder = await other();
    expect(await holder.said()).toBe('has');
    holder.child.kill('SIGKILL');
    await once(holder.child, 'exit');
    expect(take()).toBeDefined();
  });

  it('leaves nothing but its file, held, killed and released', async () => {
    const holder = await other();
    expect(await holder.said()).toBe('has');
    expect(fs.readdirSync(base)).toEqual(['lock.sqlite']);
    holder.child.kill('SIGKILL');
    await once(holder.child, 'exit');
    expect(fs.readdirSync(base)).toEqual(['lock.sqlite']);
    take()?.release();
    expect(fs.readdirSync(base)).toEqual(['lock.sqlite']);
  });

  it.each([
    ['an empty file', Buffer.alloc(0), Buffer.alloc(0)],
    ['a file of garbage', Buffer.alloc(8_192, 'garbage!'), Buffer.alloc(0)],
    ['a file with pages', 'database', Buffer.alloc(512)],
    ['a file with pages, and is hot', 'database', 'hot'],
  ] as const)('clears away a journal that an older bk left beside %s', async (_, content, journal) => {
    if (content !== 'database') fs.writeFileSync(file, content);
    else new Database(file).exec('CREATE TABLE t (a)').close();
    if (journal !== 'hot') fs.writeFileSync(`${file}-journal`, journal);
    else leaveJournal();
    expect(take()).toBeDefined();
    expect(fs.readdirSync(base)).toEqual(['lock.sqlite']);
    expect(await (await other()).said()).toBe('not');
  });

  it('does not touch the journal of an older bk that is at work', () => {
    const older = new Database(file);
    older.exec('BEGIN EXCLUSIVE');
    expect(fs.readdirSync(base)).toEqual(['lock.sqlite', 'lock.sqlite-journal']);
    expect(take()).toBeUndefined();
    expect(fs.readdirSync(base)).toEqual(['lock.sqlite', 'lock.sqlite-journal']);
    older.close();
    expect(take()).toBeDefined();
  });

  it('can be waited for', async () => {
    const held = take();
    const waiting = await other(20_000);
    const answer = waiting.said();
    held?.release();
    expect(await answer).toBe('has');
  });

  it('gives up after the time it was told to wait', () => {
    take();
    const start = performance.now();
    expect(() => lock(file, 120)).toThrow(BkError);
    expect(performance.now() - start).toBeGreaterThan(100);
  });

  it.each([
    ['garbage', Buffer.alloc(5_000, 'garbage!')],
    ['zeros', Buffer.alloc(8_192)],
    ['a header and garbage', Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(9_000, 0xa5)])],
    ['a few bytes', Buffer.from('x')],
    ['nothing', Buffer.alloc(0)],
  ])('can be taken, and is exclusive, with %s in its file, which stays the same file', async (_, content) => {
    fs.writeFileSync(file, content);
    // A second name, so that its inode cannot be given to a new file.
    fs.linkSync(file, `${file}.same`);
    const { ino } = fs.statSync(file);
    expect(take()).toBeDefined();
    // A new file could be locked by a second process that had found the garbage at the same time.
    expect(fs.statSync(file).ino).toBe(ino);
    const second = await other();
    expect(await second.said()).toBe('not');
  });

  it('says what is wrong if its file cannot be used', () => {
    fs.mkdirSync(file);
    expect(() => tryLock(file)).toThrow(expect.objectContaining({ code: 'io', path: file }));
    const absent = path.join(base, 'no', 'folder');
    expect(() => tryLock(absent)).toThrow(Error);
  });
});
