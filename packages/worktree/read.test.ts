import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type FsPath, HASH_BYTES, STAT, STAT_WIDTH } from '@bk/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { touch } from '../../fixtures/odd-names.ts';
import { hashBytes } from './hash.ts';
import { withPlace } from './long-path.ts';
import { bytePath, nodePath } from './node-path.ts';
import { BUSY, readContents } from './read.ts';
import { putStat } from './scan.ts';

const MEBIBYTE = 1 << 20;
let base: string;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-read-'));
});
afterEach(() => void spawnSync('rm', ['-rf', base]));

const at = (name: string) => path.join(base, name);

/** The columns that a scan would see now. */
function statsOf(paths: readonly string[], root = base): BigInt64Array {
  const stats = new BigInt64Array(paths.length * STAT_WIDTH);
  paths.forEach((one, i) => {
    const seen = withPlace(bytePath(root), one, (place) => fs.lstatSync(nodePath(place), { bigint: true }));
    putStat(stats, i, seen);
  });
  return stats;
}

interface Reading {
  readonly stats?: BigInt64Array;
  readonly links?: readonly string[];
  readonly root?: string;
  readonly onFile?: (bytes: number) => void;
}

/** @returns for each file its hash, or why there is none */
function read(paths: readonly string[], { stats, links = [], root = base, onFile }: Reading = {}): string[] {
  const task = {
    root: bytePath(root),
    paths: paths.join('\0') as FsPath,
    links: Uint8Array.from(paths, (one) => (links.includes(one) ? 1 : 0)),
    stats: stats ?? statsOf(paths, root),
  };
  const result = readContents(task, onFile);
  const failures = new Map(result.failures);
  const hashes = Buffer.from(result.hashes);
  return paths.map((_, i) => {
    const hash = hashes.toString('hex', i * HASH_BYTES, (i + 1) * HASH_BYTES);
    if (failures.has(i)) expect(hash).toBe('0'.repeat(64));
    return failures.get(i) ?? hash;
  });
}

type Call = (...given: unknown[]) => unknown;
const calls = fs as unknown as Record<string, Call>;

/** Does something just before the n-th call of a function of fs. */
function before<T>(call: string, n: number, action: () => void, work: () => T): T {
  const original = calls[call]!;
  let count = 0;
  calls[call] = (...given) => {
    if (++count === n) {
      calls[call] = original;
      action();
    }
    return original(...given);
  };
  try {
    return work();
  } finally {
    calls[call] = original;
  }
}

describe('contents', () => {
  it.each([0, 1, 1_024, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 3 * MEBIBYTE + 5])(
    'of %d bytes are hashed',
    (size) => {
      const bytes = randomBytes(size);
      fs.writeFileSync(at('f'), bytes);
      let told = 0;
      let files = 0;
      const onFile = (read: number) => {
        told += read;
        if (read === 0) files++;
      };
      expect(read(['f'], { onFile })).toEqual([hashBytes(bytes)]);
      expect(files).toBe(1);
      expect([0, size]).toContain(told);
    },
  );

  it('of a sparse file are hashed with its holes', () => {
    fs.writeFileSync(at('f'), 'start');
    fs.truncateSync(at('f'), 5 * MEBIBYTE);
    const bytes = Buffer.alloc(5 * MEBIBYTE);
    bytes.write('start');
    expect(read(['f'])).toEqual([hashBytes(bytes)]);
  });

  it('of links are the bytes of their targets, never what they point to', () => {
    fs.writeFileSync(at('file'), 'content');
    const targets = ['file', 't\xff\xfe\n', '/dev/zero', 'nowhere', 'x'.repeat(4_000)];
    targets.forEach((target, i) => {
      fs.symlinkSync(Buffer.from(target, 'latin1'), at(`l${i}`));
    });
    const names = targets.map((_, i) => `l${i}`);
    const task = {
      root: base,
      paths: names.join('\0'),
      links: new Uint8Array(5).fill(1),
      stats: statsOf(names),
    };
    expect(readContents(task).targets).toEqual(targets.map((target, i) => [i, target]));
    const hashes = targets.map((target) => hashBytes(Buffer.from(target, 'latin1')));
    expect(read(names, { links: names })).toEqual(hashes);
  });

  it('are found under names of any bytes, below a root of any name, however long', () => {
    for (const root of [base, at('wurzel é 😀'), at(`${Array(14).fill('r'.repeat(250)).join('/')}`)]) {
      fs.mkdirSync(root, { recursive: true });
      const names = ['f\xff\xfe\n', '\xff'.repeat(255), bytePath('日本 é')];
      for (const name of names) {
        withPlace(bytePath(root), name, (place) => fs.writeFileSync(nodePath(place), name));
      }
      expect(read(names, { root })).toEqual(names.map((name) => hashBytes(Buffer.from(name))));
    }
  });

  it('are found at the end of a path longer than the kernel takes', () => {
    const deep = Array(40).fill('\xfc'.repeat(200)).join('/');
    const makers = deep.split('/').map((_, i, all) => all.slice(0, i + 1).join('/'));
    for (const one of makers) withPlace(bytePath(base), one, (place) => fs.mkdirSync(nodePath(place)));
    const names = [`${deep}/file`, `${deep}/link`, 'short'];
    withPlace(bytePath(base), names[0]!, (place) => fs.writeFileSync(nodePath(place), 'deep'));
    withPlace(bytePath(base), names[1]!, (place) => fs.symlinkSync('file', nodePath(place)));
    fs.writeFileSync(at('short'), 'short');
    const expected = ['deep', 'file', 'short'].map((text) => hashBytes(Buffer.from(text)));
    expect(read(names, { links: [names[1]!] })).toEqual(expected);
  });

  it.each([
    '1901-12-14T00:00:00.500000001Z',
    '1969-12-31T23:59:59.9Z',
    '2300-01-01T00:00:00.123456789Z',
    '2446-01-01T00:00:00Z',
  ])('of a file of %s are hashed like others', (time) => {
    fs.writeFileSync(at('f'), 'x');
    fs.symlinkSync('f', at('l'));
    touch(at('f'), time);
    touch(at('l'), time);
    expect(read(['f', 'l'], { links: ['l'] })).toEqual(
      ['x', 'f'].map((text) => hashBytes(Buffer.from(text))),
    );
  });

  it('are not given where there is nothing to be read, and the others are', () => {
    fs.writeFileSync(at('a'), 'a');
    fs.writeFileSync(at('b'), 'b');
    const stats = statsOf(['a', 'b']);
    fs.rmSync(at('a'));
    expect(read(['a', 'b'], { stats })).toEqual(['not there any more', hashBytes(Buffer.from('b'))]);
  });
});

/** Where the clock of the file system ticks slowly, a change may leave no trace: then it is made again. */
function untilItShows(name: string, change: () => void): void {
  const ctime = () => fs.lstatSync(at(name), { bigint: true }).ctimeNs;
  for (const was = ctime(); was === ctime(); ) change();
}

describe('a file that changes', () => {
  it.each([
    ['is written over with as many bytes', () => fs.writeFileSync(at('f'), 'TEXT')],
    ['grows', () => fs.appendFileSync(at('f'), '!')],
    ['shrinks', () => fs.truncateSync(at('f'), 2)],
    ['gets other permissions', () => fs.chmodSync(at('f'), 0o600)],
    [
      'is replaced by an equal one',
      () => {
        fs.writeFileSync(at('g'), 'text');
        fs.renameSync(at('g'), at('f'));
      },
    ],
    [
      'is written over and its mtime put back',
      () => {
        const { atime, mtime } = fs.statSync(at('f'));
        fs.writeFileSync(at('f'), 'TEXT');
        fs.utimesSync(at('f'), atime, mtime);
      },
    ],
  ])('since it was seen is busy: %s', (_, change) => {
    fs.writeFileSync(at('f'), 'text');
    fs.utimesSync(at('f'), 1_700_000_000, 1_700_000_000);
    const stats = statsOf(['f']);
    untilItShows('f', change);
    expect(read(['f'], { stats })).toEqual([BUSY]);
    expect(read(['f'])[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each(['open', 'read', 'fstat'])('is busy if it is written to just before the %s', (call) => {
    fs.writeFileSync(at('f'), 'text');
    fs.utimesSync(at('f'), 1_700_000_000, 1_700_000_000);
    const stats = statsOf(['f']);
    const write = () => untilItShows('f', () => fs.writeFileSync(at('f'), 'TEXT'));
    expect(before(`${call}Sync`, 1, write, () => read(['f'], { stats }))).toEqual([BUSY]);
  });

  it.each([
    ['grows', () => fs.appendFileSync(at('f'), randomBytes(3 * MEBIBYTE))],
    ['shrinks', () => fs.truncateSync(at('f'), MEBIBYTE + 10)],
    ['is emptied', () => fs.truncateSync(at('f'), 0)],
    ['is rewritten', () => fs.writeFileSync(at('f'), randomBytes(3 * MEBIBYTE))],
  ])('is busy if, large, it %s while it is read', (_, change) => {
    fs.writeFileSync(at('f'), randomBytes(3 * MEBIBYTE));
    const stats = statsOf(['f']);
    expect(before('readSync', 2, change, () => read(['f'], { stats }))).toEqual([BUSY]);
  });

  it('that another process keeps writing is busy, or was read between two writes', async () => {
    const program = `
      const fs = require('fs');
      const [file] = process.argv.slice(1);
      process.stdout.write('ready');
      for (let i = 0; ; i = (i + 1) % 256) fs.writeFileSync(file, Buffer.alloc(200_000, i), { flag: 'r+' });`;
    fs.writeFileSync(at('f'), Buffer.alloc(200_000));
    const writer = spawn(process.execPath, ['-e', program, at('f')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(writer.stdout, 'data');
    const whole = new Set(
      Array.from({ length: 256 }, (_, i) => hashBytes(Buffer.alloc(200_000, i)) as string),
    );
    let busy = 0;
    for (let i = 0; i < 200; i++) {
      const beganNs = BigInt(Date.now()) * 1_000_000n;
      const [said] = read(['f']);
      if (said === BUSY) busy++;
      else expect(whole.has(said!) || isRacy(beganNs), said).toBe(true);
    }
    writer.kill('SIGKILL');
    await once(writer, 'exit');
    expect(busy).toBeGreaterThan(0);
  });
});

/**
 * A write that was under way all the time has stamped the file before it copied the first byte, and clocks tick: no stat
 * can tell. Such a stamp is so new that the entry counts as racy, and is read again the next time.
 */
function isRacy(beganNs: bigint): boolean {
  return fs.statSync(at('f'), { bigint: true }).ctimeNs > beganNs - GRAIN_NS;
}

/** The least grain that is ever taken for granted. */
const GRAIN_NS = 20_000_000n;

describe('a file that is replaced by something else', () => {
  const seen = () => {
    fs.writeFileSync(at('f'), 'text');
    const stats = statsOf(['f']);
    fs.rmSync(at('f'));
    return stats;
  };

  it('by a link: it is not followed', () => {
    const stats = seen();
    fs.writeFileSync(at('other'), 'text');
    fs.symlinkSync('other', at('f'));
    expect(read(['f'], { stats })).toEqual(['replaced by a link']);
  });

  it('by a FIFO, with and without somebody at its other end: it does not block', async () => {
    const stats = seen();
    spawnSync('mkfifo', [at('f')]);
    expect(read(['f'], { stats })).toEqual(['not a file any more']);
    const writer = spawn(
      'sh',
      ['-c', 'exec 3<>"$1"; echo ready; echo text >&3; exec sleep 60', 'sh', at('f')],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await once(writer.stdout, 'data');
    expect(read(['f'], { stats })).toEqual(['not a file any more']);
    writer.kill('SIGKILL');
    await once(writer, 'exit');
  });

  it('by a folder or a socket', () => {
    const stats = seen();
    fs.mkdirSync(at('f'));
    expect(read(['f'], { stats })).toEqual(['replaced by a folder']);
    fs.rmdirSync(at('f'));
    const listen = `require('net').createServer().listen(${JSON.stringify(at('f'))}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', listen]);
    expect(read(['f'], { stats })).toEqual(['not a file any more']);
  });

  it('by a device without an end', ({ skip }) => {
    const stats = seen();
    skip(spawnSync('mknod', [at('f'), 'c', '1', '5']).status !== 0, 'needs root to make a device');
    expect(read(['f'], { stats })).toEqual([BUSY]);
  });
});

describe('a link that changes', () => {
  const target = (name: string) => {
    fs.rmSync(at('l'), { force: true });
    fs.symlinkSync(name, at('l'));
  };

  it('is busy: another target of the same length', () => {
    target('one');
    const stats = statsOf(['l']);
    fs.renameSync(at('l'), at('kept'));
    target('two');
    expect(read(['l'], { stats, links: ['l'] })).toEqual([BUSY]);
  });

  it('is busy: replaced between the reading and the look at it', () => {
    target('one');
    const stats = statsOf(['l']);
    expect(
      before(
        'lstatSync',
        1,
        () => untilItShows('l', () => target('two')),
        () => read(['l'], { stats, links: ['l'] }),
      ),
    ).toEqual([BUSY]);
  });

  it('is no link any more', () => {
    target('one');
    const stats = statsOf(['l']);
    fs.rmSync(at('l'));
    fs.writeFileSync(at('l'), 'one');
    expect(read(['l'], { stats, links: ['l'] })).toEqual(['not what it was any more']);
  });
});

it('inodes above 2^63 are compared as the scan keeps them', () => {
  fs.writeFileSync(at('f'), 'x');
  const stats = statsOf(['f']);
  const original = fs.fstatSync;
  const high = (1n << 63n) + 5n;
  stats[STAT.inode] = BigInt.asIntN(64, high);
  calls['fstatSync'] = (...given) =>
    Object.assign((original as unknown as Call)(...given) as object, { ino: high });
  try {
    expect(read(['f'], { stats })).toEqual([hashBytes(Buffer.from('x'))]);
  } finally {
    calls['fstatSync'] = original as unknown as Call;
  }
});
