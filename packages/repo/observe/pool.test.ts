import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { BkError, type FsPath, STAT_WIDTH } from '@bk/core';
import { putStat } from '@bk/worktree';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { packFailure, unpackFailure } from '../failure.ts';
import { Pool } from './pool.ts';
import type { LookTask, TaskKind, Tasks } from './tasks.ts';

let base: string;
const NAMES = Array.from({ length: 60 }, (_, i) => (i % 7 === 0 ? `l${i}` : `f${i}\xff`));
const LINKS = NAMES.map((name) => name.startsWith('l'));
beforeAll(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-pool-'));
  fs.mkdirSync(`${base}/.bk/safety`, { recursive: true });
  fs.mkdirSync(`${base}/.bk/staging`);
  NAMES.forEach((name, i) => {
    if (LINKS[i]) fs.symlinkSync(`target ${i}`, `${base}/${name}`);
    else fs.writeFileSync(place(name), randomBytes(i * 1_000));
  });
});
afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

const pools: Pool[] = [];
afterEach(() => {
  for (const pool of pools.splice(0)) pool.close();
});

const place = (name: string) => Buffer.from(`${base}/${name}`, 'latin1');

function pool(threads: boolean): Pool {
  const made = new Pool();
  pools.push(made);
  if (threads) made.start();
  expect(made.threads > 0).toBe(threads);
  return made;
}

const look = (...paths: string[]): LookTask => ({
  root: base,
  trust: { stats: true, inodes: true, grainNs: 0n },
  directories: paths.map((one) => ({ path: one as FsPath, row: undefined })),
});

function readTask(): Tasks['read']['task'] {
  const stats = new BigInt64Array(NAMES.length * STAT_WIDTH);
  NAMES.forEach((name, i) => void putStat(stats, i, fs.lstatSync(place(name), { bigint: true })));
  return { root: base, paths: NAMES.join('\0'), links: Uint8Array.from(LINKS, Number), stats };
}

/** As plain data, without what is never the same twice. */
function plain(result: unknown): unknown {
  if (typeof result === 'bigint') return String(result);
  if (ArrayBuffer.isView(result)) return Array.from(result as Uint8Array, String).join(' ');
  if (Array.isArray(result)) return result.map(plain);
  if (typeof result !== 'object' || result === null) return result;
  return Object.fromEntries(
    Object.entries(result)
      .filter(([key]) => key !== 'observedNs')
      .map(([key, value]) => [key, plain(value)]),
  );
}

describe('a pool', () => {
  it('gives the same results inline and in threads', async () => {
    const inline = pool(false);
    const threaded = pool(true);
    const { stats } = readTask();
    const file = NAMES.findIndex((_, i) => !LINKS[i] && i > 0);
    const one = {
      root: base,
      safety: `${base}/.bk/safety`,
      staging: `${base}/.bk/staging`,
      copyLimit: 1_000,
      paths: [NAMES[file], 'none'].join('\0'),
      hashes: Buffer.alloc(64, 7),
      stats: Buffer.alloc(0) as unknown as BigInt64Array,
    };
    const columns = stats.slice(file * STAT_WIDTH, (file + 1) * STAT_WIDTH);
    const keep = { ...one, stats: BigInt64Array.of(...columns, ...columns) };
    const tasks: readonly { [K in TaskKind]: [K, Tasks[K]['task']] }[TaskKind][] = [
      ['look', look('', 'none')],
      ['read', readTask()],
      ['protect', keep],
      ['lookAgain', { ...keep, codes: Uint8Array.of(0, 255) }],
    ];
    for (const [kind, task] of tasks) {
      const given = plain(await inline.run(kind, task));
      expect(plain(await threaded.run(kind, task))).toEqual(given);
      expect(JSON.stringify(given).length).toBeGreaterThan(20);
    }
  });

  it('tells what was read, in threads and inline', async () => {
    for (const threads of [false, true]) {
      const one = pool(threads);
      let files = 0;
      let bytes = 0;
      one.onProgress = (moreFiles, moreBytes) => {
        files += moreFiles;
        bytes += moreBytes;
      };
      await one.run('read', readTask());
      expect(files).toBeLessThanOrEqual(NAMES.length);
      if (!threads) expect(files).toBe(NAMES.length);
      expect(bytes).toBeLessThan(2_000_000);
    }
  });

  it('answers many more tasks than it has threads, each its own', async () => {
    const one = pool(true);
    const folders = Array.from({ length: 200 }, (_, i) => `none ${i}`);
    const results = await Promise.all(folders.map((folder) => one.run('look', look(folder))));
    expect(results.map(([report]) => report?.path)).toEqual(folders);
  });

  it.each([false, true])(
    'rejects with the error of the task, code and all (threads: %s)',
    async (threads) => {
      const one = pool(threads);
      fs.writeFileSync(`${base}/plain file`, 'x');
      const { stats } = readTask();
      const task = {
        root: base,
        safety: `${base}/plain file`,
        staging: `${base}/plain file`,
        copyLimit: 1_000,
        paths: NAMES[1]!,
        hashes: Buffer.alloc(32, 9),
        stats: stats.slice(STAT_WIDTH, 2 * STAT_WIDTH),
      };
      const error = await one
        .run('protect', { ...task, safety: `${base}/no\0name` })
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
      const failed = await one
        .run('protect', { ...task, staging: `${base}/none`, safety: `${base}/${'x'.repeat(300)}` })
        .catch((thrown: unknown) => thrown);
      expect(failed).toBeInstanceOf(Error);
      expect(failed).toMatchObject({
        code: 'ENAMETOOLONG',
        errno: expect.any(Number),
        syscall: expect.any(String),
      });
      expect(plain(await one.run('look', look('none')))).toMatchObject([{ state: 'failed' }]);
    },
  );

  it.each(['exit', 'throw', 'terminate'])(
    'rejects instead of hanging if a thread is lost: %s',
    async (how) => {
      const one = pool(true);
      const workers: Worker[] = [];
      const post = Worker.prototype.postMessage;
      Worker.prototype.postMessage = function (this: Worker, ...given: Parameters<typeof post>) {
        if (!workers.includes(this)) workers.push(this);
        post.apply(this, given);
      };
      const running = Array.from({ length: 50 }, () =>
        one.run('read', readTask()).then(
          () => 'done',
          (error: Error) => error,
        ),
      );
      Worker.prototype.postMessage = post;
      const [victim] = workers;
      if (how === 'exit') victim!.emit('exit', 1);
      else if (how === 'throw') victim!.emit('error', new Error('out of memory'));
      else void victim!.terminate();
      const ends = await Promise.all(running);
      expect(ends.filter((end) => end instanceof Error).length).toBeGreaterThan(0);
      await expect(one.run('look', look(''))).rejects.toThrow(
        how === 'throw' ? 'out of memory' : 'ended early',
      );
      expect(one.threads).toBe(0);
    },
  );

  it('closed while it works rejects what is under way and what comes later', async () => {
    const one = pool(true);
    const running = Array.from({ length: 20 }, () => one.run('read', readTask()));
    const ends = Promise.allSettled(running);
    one.close();
    one.close();
    expect((await ends).every(({ status }) => status === 'rejected')).toBe(true);
    await expect(one.run('look', look(''))).rejects.toMatchObject({ code: 'interrupted' });
    one.start();
    expect(one.threads).toBe(0);
  });

  it('inline rejects as a promise does, it does not throw', async () => {
    const one = pool(false);
    const broken = { root: base, trust: undefined, directories: undefined } as unknown as LookTask;
    await expect(one.run('look', broken)).rejects.toThrow(TypeError);
  });
});

describe('a failure on its way between threads', () => {
  it('keeps what it is told to people by', () => {
    const own = new BkError('no-space', 'cannot write x: no space left', {
      hint: 'free some space',
      path: 'x',
    });
    const back = unpackFailure(structuredClone(packFailure(own)));
    expect(back).toBeInstanceOf(BkError);
    expect(back).toMatchObject({
      code: 'no-space',
      message: own.message,
      hint: own.hint,
      path: 'x',
      stack: own.stack,
    });
    let system: unknown;
    try {
      fs.openSync(`${base}/none/x`, 'r');
    } catch (error) {
      system = error;
    }
    const { code, errno, syscall, path: where } = system as NodeJS.ErrnoException;
    expect(unpackFailure(structuredClone(packFailure(system)))).toMatchObject({
      code,
      errno,
      syscall,
      path: where,
    });
    expect(unpackFailure(structuredClone(packFailure('words'))).message).toBe('words');
  });
});
