import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Progress, RepoPath } from '@bk/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { commit } from './commit.ts';
import type { Context } from './context.ts';
import { init } from './init.ts';
import { openRepository } from './repository.ts';
import { type VerifyOptions, type VerifyResult, verify } from './verify.ts';

let root = '';
let clock = Date.parse('2026-10-01T00:00:00Z');
const at = (name: string) => path.join(root, name);
const contextWith = (report: (progress: Progress) => void = () => {}): Context => ({
  report,
  /** Never the same time twice. */
  nowMs: () => clock++,
  random: (bytes) => randomBytes(bytes),
});

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-verify-'));
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

async function repositoryOf(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(at(name)), { recursive: true });
    fs.writeFileSync(at(name), content);
  }
  init(root, {}, contextWith());
  const repo = openRepository(root);
  try {
    await commit(repo, { message: 'x' }, contextWith());
  } finally {
    repo.close();
  }
}

async function verified(
  options: Partial<VerifyOptions> = {},
  context = contextWith(),
): Promise<VerifyResult> {
  const repo = openRepository(root);
  try {
    return await verify(repo, { paths: [], ...options }, context);
  } finally {
    repo.close();
  }
}

const paths = (...names: string[]) => names as RepoPath[];
const found = ({ rot, changed, missing, unreadable }: VerifyResult) => ({
  rot: rot.map((one) => one.path),
  changed: changed.map((one) => one.path),
  missing: missing.map((one) => one.path),
  unreadable: unreadable.map((one) => one.path),
});

/** Changes bytes in place and gives the file its old times back, to the nanosecond: what a failing disk does. */
function rot(name: string): void {
  const { mtimeNs } = fs.lstatSync(at(name), { bigint: true });
  const fd = fs.openSync(at(name), 'r+');
  fs.writeSync(fd, 'ROT', 0);
  fs.closeSync(fd);
  execFileSync('touch', [
    '-d',
    `@${mtimeNs / 1_000_000_000n}.${String(mtimeNs % 1_000_000_000n).padStart(9, '0')}`,
    at(name),
  ]);
  expect(fs.lstatSync(at(name), { bigint: true }).mtimeNs).toBe(mtimeNs);
}

describe('verify tells', () => {
  beforeEach(() => repositoryOf({ a: 'content a', 'd/b': 'content b', 'd/e/c': 'content c', empty: '' }));

  test('good files', async () => {
    fs.utimesSync(at('a'), 1, 1);
    expect(await verified()).toEqual({
      checked: 4,
      bytes: 27,
      ok: 4,
      rot: [],
      changed: [],
      missing: [],
      unreadable: [],
    });
  });

  test('rot from edits', async () => {
    rot('a');
    fs.writeFileSync(at('d/b'), 'CONTENT B');
    fs.writeFileSync(at('d/e/c'), 'longer than it was');
    const result = await verified();
    expect(found(result)).toEqual({ rot: ['a'], changed: ['d/b', 'd/e/c'], missing: [], unreadable: [] });
    expect([result.checked, result.ok, result.bytes]).toEqual([4, 1, 18]);
  });

  test('rot also after the index was made anew', async () => {
    const repo = openRepository(root);
    repo.beginWriting();
    repo.reindex();
    repo.close();
    rot('d/b');
    expect(found(await verified())).toEqual({ rot: ['d/b'], changed: [], missing: [], unreadable: [] });
  });

  test('what is gone, and what took its place', async () => {
    fs.rmSync(at('a'));
    fs.renameSync(at('d'), at('elsewhere'));
    fs.symlinkSync('elsewhere', at('d'));
    fs.rmSync(at('empty'));
    fs.mkdirSync(at('empty'));
    expect(found(await verified())).toEqual({
      rot: [],
      changed: ['empty'],
      missing: ['a', 'd/b', 'd/e/c'],
      unreadable: [],
    });
  });

  test('what cannot be read', async () => {
    const original = fs.openSync;
    fs.openSync = (file, ...rest) => {
      if (String(file).endsWith('/d/b')) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return original(file, ...rest);
    };
    try {
      const result = await verified();
      expect(result.unreadable).toEqual([
        expect.objectContaining({ path: 'd/b', reason: 'input/output error' }),
      ]);
      expect([result.checked, result.ok]).toEqual([4, 3]);
    } finally {
      fs.openSync = original;
    }
  });

  test('only the paths asked for, each once', async () => {
    expect((await verified({ paths: paths('d', 'd/e', 'd/e/c') })).checked).toBe(2);
    expect((await verified({ paths: paths('d/b', 'd/b') })).checked).toBe(1);
    await expect(verified({ paths: paths('d/x') })).rejects.toEqual(
      expect.objectContaining({ code: 'not-found', path: 'd/x' }),
    );
    await expect(verified({ paths: paths('x/y') })).rejects.toEqual(
      expect.objectContaining({ code: 'not-found' }),
    );
  });
});

test('symbolic links and odd names', async () => {
  await repositoryOf({ '100%/.git/config': 'x', ü: 'y' });
  fs.symlinkSync('nowhere', at('link'));
  fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0x0a])]), 'z');
  const repo = openRepository(root);
  await commit(repo, {}, contextWith());
  repo.close();
  expect(await verified()).toEqual(expect.objectContaining({ checked: 4, ok: 4, bytes: 10 }));
  expect((await verified({ paths: paths('%FF%0A') })).ok).toBe(1);
  execFileSync('ln', ['-sfn', 'elsewhe', at('link')]);
  expect(found(await verified()).changed).toEqual(['link']);
});

describe('the order of verifications', () => {
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`d${i % 7}/f${i}`, `content ${i}`]));
  beforeEach(() => repositoryOf(many));

  test('an interrupted run goes on where it was, a finished one begins anew', async () => {
    let reports = 0;
    const stop = contextWith(({ phase }) => {
      clock += 1000;
      if (phase === 'verify' && ++reports === 2) throw new Error('interrupted');
    });
    await expect(verified({}, stop)).rejects.toThrow('interrupted');
    clock += 3_600_000;
    const rest = await verified();
    expect([rest.checked, rest.ok]).toEqual([200 - 128, 200 - 128]);
    clock += 3_600_000;
    expect((await verified()).checked).toBe(200);
  });

  test('but not after more than a week', async () => {
    const stop = contextWith(() => {
      throw new Error('interrupted');
    });
    await expect(verified({}, stop)).rejects.toThrow('interrupted');
    clock += 8 * 86_400_000;
    expect((await verified()).checked).toBe(200);
  });

  test('samples go round: ten of a tenth cover all', async () => {
    let checked = 0;
    for (let i = 0; i < 10; i++) {
      clock += 60_000;
      checked += (await verified({ sample: 10 })).checked;
    }
    expect(checked).toBe(200);
    expect((await verified({ olderThanMs: 3_600_000 })).checked).toBe(0);
    clock += 3_600_001;
    expect((await verified({ olderThanMs: 3_600_000 })).checked).toBe(200);
  });

  test('--older-than passes over what was verified lately, unless its content is another now', async () => {
    await verified({ paths: paths('d0') });
    clock += 1000;
    const share = Object.keys(many).filter((name) => name.startsWith('d0/')).length;
    expect((await verified({ olderThanMs: 60_000 })).checked).toBe(200 - share);
    fs.writeFileSync(at('d0/f0'), 'new');
    const repo = openRepository(root);
    await commit(repo, {}, contextWith());
    repo.close();
    expect((await verified({ olderThanMs: 60_000 })).checked).toBe(1);
  });

  test('--time begins nothing when it is over, and the next run takes the oldest', async () => {
    expect((await verified({ timeMs: 0 })).checked).toBe(0);
    const tick = contextWith(() => {
      clock += 1000;
    });
    expect((await verified({ timeMs: 1000 }, tick)).checked).toBe(64);
    expect((await verified({ timeMs: 500 }, tick)).checked).toBe(64);
    expect((await verified({ olderThanMs: 60_000 })).checked).toBe(200 - 128);
  });

  test('rot is found again each time', async () => {
    rot('d3/f3');
    expect(found(await verified()).rot).toEqual(['d3/f3']);
    expect((await verified({ olderThanMs: 60_000 })).checked).toBe(1);
  });
});
