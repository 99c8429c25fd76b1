import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHasher, hashBytes, hashDescriptor } from './hash.ts';

const MEBIBYTE = 1 << 20;
const EMPTY = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';
/** Borders of BLAKE3's blocks (64), chunks (1,024) and subtrees, and of the pieces that are read. */
const BORDERS = [
  64,
  1_024,
  2_048,
  3_072,
  4_096,
  8_192,
  16_384,
  31_744,
  65_536,
  262_144,
  MEBIBYTE,
  2 * MEBIBYTE,
];
const SIZES = [0, 1, ...BORDERS.flatMap((size) => [size - 1, size, size + 1]), 3 * MEBIBYTE + 777];

let base: string;
let files: { readonly file: string; readonly size: number; readonly bytes: Buffer }[];
beforeAll(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-hash-'));
  const random = Array.from({ length: 12 }, () => randomBytes(3).readUIntLE(0, 3) % (2 * MEBIBYTE));
  files = [...SIZES, ...random].map((size) => {
    const bytes = randomBytes(size);
    const file = path.join(base, String(size));
    fs.writeFileSync(file, bytes);
    return { file, size, bytes };
  });
});
afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

function hashOf(file: string, expected?: number) {
  const fd = fs.openSync(file, 'r');
  try {
    return hashDescriptor(fd, expected);
  } finally {
    fs.closeSync(fd);
  }
}

/** The same code, where no native hash can be loaded. */
function portably(paths: readonly string[]): string[] {
  const program = `
    import fs from 'node:fs';
    import { createHasher, hashBytes, hashDescriptor } from ${JSON.stringify(path.join(import.meta.dirname, 'hash.ts'))};
    for (const file of process.argv.slice(1)) {
      const fd = fs.openSync(file, 'r');
      const hasher = createHasher();
      hasher.update(fs.readFileSync(file));
      console.log(hashDescriptor(fd).hash, hashBytes(fs.readFileSync(file)), hasher.digest());
    }`;
  const env = { ...process.env, BK_PORTABLE_HASH: '1' };
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', program, ...paths], {
    env,
    encoding: 'utf8',
  });
  if (done.status !== 0) throw new Error(done.stderr);
  return done.stdout.trim().split('\n');
}

describe('BLAKE3', () => {
  it('is what b3sum says, at every border', ({ skip }) => {
    const done = spawnSync('b3sum', ['--no-names', ...files.map(({ file }) => file)], { encoding: 'utf8' });
    skip(done.status !== 0, 'needs the program b3sum');
    const expected = done.stdout.trim().split('\n');
    expect(files.map(({ bytes }) => hashBytes(bytes))).toEqual(expected);
    expect(files.map(({ file }) => hashOf(file).hash)).toEqual(expected);
    expect(files.map(({ file, size }) => hashOf(file, size).hash)).toEqual(expected);
  });

  it('is the same without the native build', () => {
    const some = files.filter(({ size }) => size <= MEBIBYTE + 1);
    const expected = some.map(({ bytes }) => hashBytes(bytes));
    expect(portably(some.map(({ file }) => file))).toEqual(expected.map((hash) => `${hash} ${hash} ${hash}`));
  });

  it('is the same in whatever pieces', () => {
    for (const { bytes } of files) {
      const hasher = createHasher();
      for (let at = 0, piece = 1; at < bytes.length; at += piece, piece = (piece * 7 + 13) % 70_001) {
        hasher.update(bytes.subarray(at, at + piece));
        if (piece === 0) piece = 1;
      }
      expect(hasher.digest()).toBe(hashBytes(bytes));
    }
  });

  it('knows the empty content', () => expect(hashBytes(new Uint8Array())).toBe(EMPTY));
});

describe('hashDescriptor', () => {
  it('tells the size that it read and how far it is', () => {
    for (const { file, size } of files) {
      let told = 0;
      const fd = fs.openSync(file, 'r');
      expect(
        hashDescriptor(fd, undefined, (bytes) => {
          told += bytes;
        }).size,
      ).toBe(size);
      fs.closeSync(fd);
      expect(told).toBe(size);
    }
  });

  it('reads on if the file is longer than was expected, but not for ever', () => {
    const { file, size, bytes } = files.find((one) => one.size === 1_024)!;
    expect(hashOf(file, 1_000)).toMatchObject({ size });
    expect(hashOf(file, 2_000)).toEqual({ hash: hashBytes(bytes), size });
    expect(hashOf('/dev/zero', 10).size).toBeLessThanOrEqual(2 * MEBIBYTE);
  });

  it('begins at the start, wherever the descriptor is', () => {
    const { file, bytes } = files.find((one) => one.size === 4_096)!;
    const fd = fs.openSync(file, 'r');
    fs.readSync(fd, Buffer.alloc(100), 0, 100, null);
    expect(hashDescriptor(fd).hash).toBe(hashBytes(bytes));
    fs.closeSync(fd);
  });
});
