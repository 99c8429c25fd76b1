import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fsyncDirectory, fsyncFile, replaceFile, syncFileSystem, writeFully } from './durable.ts';

let base: string;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-durable-'));
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

type Call = (...given: unknown[]) => unknown;
const calls = fs as unknown as Record<string, Call>;

/** Runs `work` with some calls of fs in other hands; every call is noted. */
function watching(instead: Record<string, (original: Call) => Call>, work: () => void): string[] {
  const names = ['openSync', 'writeSync', 'fsyncSync', 'closeSync', 'renameSync', 'rmSync'];
  const originals = new Map(names.map((name) => [name, calls[name]!]));
  const noted: string[] = [];
  for (const [name, original] of originals) {
    const call = instead[name]?.(original) ?? original;
    calls[name] = (...given) => {
      noted.push(name);
      return call(...given);
    };
  }
  try {
    work();
  } finally {
    for (const [name, original] of originals) calls[name] = original;
  }
  return noted;
}

const failing = (code: string) => () => () => {
  throw Object.assign(new Error(code), { code });
};

describe('replaceFile', () => {
  it('writes, syncs, renames, syncs the folder, in this order', () => {
    const file = path.join(base, 'f');
    fs.writeFileSync(file, 'a much longer text than the new one');
    const done = watching({}, () => replaceFile(file, 'new'));
    expect(done.join(' ')).toBe(
      'openSync writeSync fsyncSync closeSync renameSync openSync fsyncSync closeSync',
    );
    expect(fs.readFileSync(file, 'utf8')).toBe('new');
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(base)).toEqual(['f']);
  });

  it.each(['writeSync', 'fsyncSync', 'renameSync'])(
    'leaves the old bytes and nothing else if %s fails',
    (name) => {
      const file = path.join(base, 'f');
      fs.writeFileSync(file, 'old');
      expect(() => watching({ [name]: failing('ENOSPC') }, () => replaceFile(file, 'new'))).toThrow('ENOSPC');
      expect(fs.readFileSync(file, 'utf8')).toBe('old');
      expect(fs.readdirSync(base)).toEqual(['f']);
    },
  );

  it('uses up what a killed process left', () => {
    const file = path.join(base, 'f');
    fs.writeFileSync(`${file}.tmp`, 'left behind, and longer than the new text');
    replaceFile(file, Buffer.from('new'));
    expect(fs.readFileSync(file, 'utf8')).toBe('new');
    expect(fs.readdirSync(base)).toEqual(['f']);
  });
});

describe('writeFully', () => {
  it('goes on after a short write', () => {
    const file = path.join(base, 'f');
    const data = Buffer.from('0123456789'.repeat(100));
    const fd = fs.openSync(file, 'w');
    const short =
      (original: Call): Call =>
      (target, bytes, at, length) =>
        original(target, bytes, at, Math.min(Number(length), 7));
    watching({ writeSync: short }, () => writeFully(fd, data));
    fs.closeSync(fd);
    expect(fs.readFileSync(file)).toEqual(data);
  });
});

describe('syncing', () => {
  it('syncs what is there and fails for what is not', () => {
    const file = path.join(base, 'f');
    fs.writeFileSync(file, 'x');
    fs.symlinkSync(file, path.join(base, 'link'));
    expect(watching({}, () => fsyncFile(file))).toContain('fsyncSync');
    expect(watching({}, () => fsyncDirectory(base))).toContain('fsyncSync');
    expect(() => fsyncDirectory(file)).toThrow('ENOTDIR');
    expect(() => fsyncFile(path.join(base, 'link'))).toThrow('ELOOP');
    expect(() => fsyncFile(path.join(base, 'none'))).toThrow('ENOENT');
    expect(syncFileSystem(base)).toBe(true);
    expect(syncFileSystem(path.join(base, 'none'))).toBe(false);
  });
});
