import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type ContentHash, PROTECTION, STAT, STAT_WIDTH } from '@bk/core';
import { SafetyNet } from '@bk/store';
import { bytePath, hashBytes, nodePath, putStat, withPlace } from '@bk/worktree';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountLoop } from '../../../fixtures/loop-mount.ts';
import { touch } from '../../../fixtures/odd-names.ts';
import { runAsNobody, whyNotAsNobody } from '../../worktree/as-nobody.fixture.ts';
import { CHANGED, type LookAgainResult, lookAgain, type ProtectTask, protectFiles } from './protect.ts';

let base: string;
const undo: (() => void)[] = [];
beforeEach(() => use(fs.mkdtempSync(path.join(os.tmpdir(), 'bk-protect-'))));
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

/** A folder with a net from now on. */
function use(folder: string): void {
  base = folder;
  undo.push(() => fs.rmSync(folder, { recursive: true, force: true }));
  fs.mkdirSync(`${base}/.bk/safety`, { recursive: true });
  fs.mkdirSync(`${base}/.bk/staging`);
}

/** Names are byte strings. */
const at = (name: string) => nodePath(`${bytePath(base)}/${name}`);

/** The files as they are now, hashed. */
function taskOf(names: readonly string[], changes: Partial<ProtectTask> = {}): ProtectTask {
  const stats = new BigInt64Array(names.length * STAT_WIDTH);
  const hashes = names.map((name, i) =>
    withPlace(bytePath(base), name, (place) => {
      putStat(stats, i, fs.lstatSync(nodePath(place), { bigint: true }));
      return hashBytes(fs.readFileSync(nodePath(place)));
    }),
  );
  return {
    root: bytePath(base),
    safety: `${base}/.bk/safety`,
    staging: `${base}/.bk/staging`,
    copyLimit: 1_000 + counter++,
    paths: names.join('\0'),
    hashes: Buffer.from(hashes.join(''), 'hex'),
    stats,
    ...changes,
  };
}
/** Another limit each time: each test has a net that has learned nothing yet. */
let counter = 0;

/** Both looks, with something happening between them. */
function keep(
  names: readonly string[],
  between: () => void = () => {},
): { codes: number[]; seen: LookAgainResult } {
  const task = taskOf(names);
  const { codes } = protectFiles(task);
  between();
  const seen = lookAgain({ ...task, codes });
  return { codes: [...seen.codes], seen };
}

const entries = (text: string) =>
  new SafetyNet({ safety: `${base}/.bk/safety`, staging: `${base}/.bk/staging` }).lookup(
    hashBytes(Buffer.from(text, 'latin1')),
  );
const kept = (text: string) => entries(text).map(({ file }) => fs.readFileSync(file, 'utf8'));
const write = (name: string, text: string) => fs.writeFileSync(at(name), text);

type Call = (...given: unknown[]) => unknown;
const calls = fs as unknown as Record<string, Call>;
function failing(call: string, code: string): void {
  const original = calls[call]!;
  undo.push(() => {
    calls[call] = original;
  });
  calls[call] = () => {
    throw Object.assign(new Error(code), { code });
  };
}

/** Reflinks where the file system of the temporary folder has them, else links. */
describe('files that stay what they were', () => {
  it('are kept, and seen as they are after it', () => {
    const names = ['a', 'f\xff\xfe\n', 'empty'];
    names.forEach((name, i) => void write(name, i === 2 ? '' : `text of ${i}`));
    const { codes, seen } = keep(names);
    expect(codes.every((code) => code === PROTECTION.link || code === PROTECTION.reflink)).toBe(true);
    expect(kept('text of 0')).toEqual(['text of 0']);
    expect(kept('text of 1')).toEqual(['text of 1']);
    names.forEach((name, i) => {
      const now = fs.lstatSync(at(name), { bigint: true });
      expect(seen.stats[i * STAT_WIDTH + STAT.ctime]).toBe(now.ctimeNs);
      expect(seen.stats[i * STAT_WIDTH + STAT.links]).toBe(now.nlink);
    });
    expect(fs.readdirSync(`${base}/.bk/staging`)).toEqual([]);
  });

  it('are kept again without harm, as after an interruption', () => {
    write('a', 'text');
    const first = keep(['a']).codes;
    expect(keep(['a']).codes).toEqual(first);
    expect(kept('text')).toEqual(['text']);
  });

  it('are kept whatever their times', () => {
    for (const time of ['1901-12-14T00:00:00.5Z', '2300-01-01T00:00:00.123456789Z', '2446-01-01T00:00:00Z']) {
      write(time, time);
      touch(`${base}/${time}`, time);
      expect(keep([time]).codes[0], time).not.toBe(CHANGED);
      expect(kept(time)).toEqual([time]);
    }
  });

  it('are kept at the end of paths longer than the kernel takes', () => {
    const folders = Array.from({ length: 30 }, (_, i) =>
      Array(i + 1)
        .fill('\xfc'.repeat(200))
        .join('/'),
    );
    for (const folder of folders) withPlace(bytePath(base), folder, (place) => fs.mkdirSync(nodePath(place)));
    const deep = `${folders.at(-1)}/file`;
    withPlace(bytePath(base), deep, (place) => fs.writeFileSync(nodePath(place), 'deep'));
    expect(keep([deep]).codes[0]).not.toBe(CHANGED);
    expect(kept('deep')).toEqual(['deep']);
  });

  it.each(['EMLINK', 'EPERM', 'EXDEV'])('are copied if small where links fail with %s', (code) => {
    failing('linkSync', code);
    failing('copyFileSync', 'ENOTSUP');
    write('small', 'small');
    write('large', 'x'.repeat(100_000));
    expect(keep(['small', 'large']).codes).toEqual([PROTECTION.copy, PROTECTION.none]);
    expect(kept('small')).toEqual(['small']);
  });

  it('stop everything if the disk is full', () => {
    failing('linkSync', 'ENOSPC');
    failing('copyFileSync', 'ENOTSUP');
    write('a', 'text');
    expect(() => keep(['a'])).toThrow('ENOSPC');
  });

  it('of somebody else are copied if they can be read, where links to them are forbidden', ({ skip }) => {
    const why = process.getuid?.() === 0 ? whyNotAsNobody() : 'needs root';
    skip(why !== undefined, why);
    const forbidden = fs.readFileSync('/proc/sys/fs/protected_hardlinks', 'utf8').trim() === '1';
    skip(!forbidden, 'needs fs.protected_hardlinks=1');
    write('of root', 'text');
    fs.chmodSync(at('of root'), 0o644);
    fs.chmodSync(base, 0o755);
    for (const folder of ['.bk', '.bk/safety', '.bk/staging'])
      fs.chownSync(`${base}/${folder}`, 65_534, 65_534);
    const task = taskOf(['of root']);
    const program = `
      import { protectFiles } from ${JSON.stringify(path.join(import.meta.dirname, 'protect.ts'))};
      const task = JSON.parse(process.argv[1]);
      const { codes } = protectFiles({ ...task, hashes: Buffer.from(task.hashes, 'hex'), stats: BigInt64Array.from(task.stats, BigInt) });
      process.stdout.write(String(codes[0]));`;
    const sent = {
      ...task,
      hashes: Buffer.from(task.hashes).toString('hex'),
      stats: Array.from(task.stats, String),
    };
    const said = Number(runAsNobody(program, JSON.stringify(sent)));
    expect([PROTECTION.copy, PROTECTION.reflink]).toContain(said);
    expect(kept('text')).toEqual(['text']);
  });
});

describe('a file that changes between the looks', () => {
  it.each([
    ['written over', () => write('a', 'TEXT')],
    ['grown', () => write('a', 'text and more')],
    [
      'made a folder',
      () => {
        fs.rmSync(at('a'));
        fs.mkdirSync(at('a'));
      },
    ],
  ])('%s is not committed, and no entry says what it does not hold', (_, change) => {
    write('a', 'text');
    fs.utimesSync(at('a'), 1_700_000_000, 1_700_000_000);
    expect(keep(['a'], change).codes).toEqual([CHANGED]);
    expect(kept('text').every((text) => text === 'text')).toBe(true);
  });

  it('replaced leaves what was hashed in the net: it is the last name of it', () => {
    write('a', 'text');
    const replace = () => {
      write('b', 'other');
      fs.renameSync(at('b'), at('a'));
    };
    expect(keep(['a'], replace).codes).toEqual([CHANGED]);
    expect(kept('text')).toEqual(['text']);
  });

  it('replaced while another name of its inode stays leaves that one protected', () => {
    write('a', 'text');
    fs.linkSync(at('a'), at('b'));
    const replace = () => {
      write('new', 'other');
      fs.renameSync(at('new'), at('a'));
    };
    expect(keep(['a', 'b'], replace).codes[0]).toBe(CHANGED);
    fs.rmSync(at('b'));
    expect(kept('text')).toEqual(['text']);
  });

  it('replaced before it was linked gives the net no wrong name', () => {
    write('a', 'text');
    const task = taskOf(['a']);
    write('b', 'TEXT');
    // As cp -p leaves it: size and mtime are the same.
    const { mtime } = fs.statSync(at('a'));
    fs.utimesSync(at('b'), mtime, mtime);
    fs.renameSync(at('b'), at('a'));
    const { codes } = protectFiles(task);
    expect([...lookAgain({ ...task, codes }).codes]).toEqual([CHANGED]);
    expect(kept('text')).toEqual([]);
    expect(fs.readFileSync(at('a'), 'utf8')).toBe('TEXT');
  });

  it('gone is not committed; one that cannot be looked at neither', () => {
    write('a', 'text');
    fs.mkdirSync(at('sub'));
    write('sub/b', 'other');
    const task = taskOf(['a', 'sub/b']);
    fs.rmSync(at('a'));
    fs.renameSync(at('sub'), at('aside'));
    write('sub', 'a file now');
    expect([...protectFiles(task).codes]).toEqual([CHANGED, CHANGED]);
    expect([...lookAgain({ ...task, codes: Uint8Array.of(1, 1) }).codes]).toEqual([CHANGED, CHANGED]);
    expect(entries('text')).toEqual([]);
  });

  it('an independent copy of wrong bytes is taken back, a right one stays', () => {
    failing('linkSync', 'EMLINK');
    failing('copyFileSync', 'ENOTSUP');
    write('a', 'text');
    write('b', 'right');
    const task = taskOf(['a', 'b']);
    write('a', 'TEXT');
    const { codes } = protectFiles(task);
    expect([...codes]).toEqual([PROTECTION.copy, PROTECTION.copy]);
    write('b', 'later');
    expect([...lookAgain({ ...task, codes }).codes]).toEqual([CHANGED, CHANGED]);
    expect(kept('text')).toEqual([]);
    expect(kept('right')).toEqual(['right']);
  });
});

describe('with reflinks', () => {
  it.each(['btrfs', 'xfs'] as const)(
    'on %s a file that changes leaves no wrong copy, one that stays is kept',
    (type) => {
      const mount = mountLoop(type);
      if (mount === undefined) return;
      undo.push(() => mount.unmount());
      use(`${mount.point}/tree`);
      write('a', 'text');
      write('b', 'stays');
      write('c', randomBytes(200_000).toString('hex'));
      const task = taskOf(['a', 'b', 'c']);
      write('a', 'TEXT');
      const { codes } = protectFiles(task);
      expect([...codes]).toEqual([PROTECTION.reflink, PROTECTION.reflink, PROTECTION.reflink]);
      const seen = lookAgain({ ...task, codes });
      expect([...seen.codes]).toEqual([CHANGED, PROTECTION.reflink, PROTECTION.reflink]);
      expect(kept('text')).toEqual([]);
      expect(kept('stays')).toEqual(['stays']);
      write('b', 'edited');
      expect(kept('stays')).toEqual(['stays']);
    },
  );
});

it('hashes are told apart by their place in the task', () => {
  write('a', 'one');
  write('b', 'two');
  const task = taskOf(['b', 'a']);
  protectFiles({ ...task, hashes: new Uint8Array(task.hashes) });
  const all = ['one', 'two'].map((text) => entries(text).map(({ blake3 }) => blake3));
  expect(all).toEqual(['one', 'two'].map((text) => [hashBytes(Buffer.from(text)) as ContentHash]));
});
