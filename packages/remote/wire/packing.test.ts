import crypto from 'node:crypto';
import zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { putU32 } from './frame.ts';
import { Packer, unpack } from './packing.ts';

const TEXT = Buffer.from('a line of text that comes again and again\n'.repeat(20_000));
const NOISE = crypto.randomBytes(500_000);
const MIB = 1 << 20;

/** So many bytes were written at so many MB/s. */
function wrote(packer: Packer, bytes: number, megabytesPerSecond: number): void {
  for (let left = bytes; left > 0; left -= MIB) packer.took(MIB, MIB / 1e3 / megabytesPerSecond);
}

describe('compressing', () => {
  test('what gains by it comes back as it was', () => {
    const packed = new Packer('always').pack(TEXT);
    expect(packed?.length).toBeLessThan(TEXT.length / 20);
    expect(Buffer.from(unpack(packed!)).equals(TEXT)).toBe(true);
  });

  test('a bomb makes nobody allocate what it holds', () => {
    const packed = zlib.zstdCompressSync(Buffer.alloc(256 * MIB));
    const bomb = Buffer.concat([Buffer.alloc(4), packed]);
    putU32(bomb, 0, 1_000);
    const before = process.resourceUsage().maxRSS;
    expect(() => unpack(bomb)).toThrow(/compressed/);
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(64 << 10);
  });

  test('what does not gain goes as it is, and small things too', () => {
    const packer = new Packer('always');
    expect(packer.pack(NOISE)).toBeUndefined();
    expect(packer.pack(Buffer.concat([NOISE, TEXT]))).toBeUndefined();
    expect(packer.pack(TEXT.subarray(0, 100))).toBeUndefined();
    expect(packer.pack(NOISE.subarray(0, 1_000))).toBeUndefined();
    expect(new Packer('never').pack(TEXT)).toBeUndefined();
  });

  test('by itself on slow lines only, and not before the line is known', () => {
    const fast = new Packer('auto');
    expect(fast.pack(TEXT)).toBeUndefined();
    wrote(fast, 500 * MIB, 400);
    expect(fast.pack(TEXT)).toBeUndefined();
    const slow = new Packer('auto');
    wrote(slow, 1 * MIB, 5);
    expect(slow.pack(TEXT)).toBeUndefined();
    wrote(slow, 2 * MIB, 5);
    expect(slow.pack(TEXT)).toBeDefined();
    expect(slow.pack(NOISE)).toBeUndefined();
  });

  test('small writes say nothing of the line, however long they take', () => {
    const packer = new Packer('auto');
    for (let i = 0; i < 1_000; i++) packer.took(1_000, 10);
    expect(packer.pack(TEXT)).toBeUndefined();
  });

  test('a slow line is judged anew', () => {
    const packer = new Packer('auto');
    wrote(packer, 3 * MIB, 5);
    let packed = 0;
    for (let i = 0; i < 200; i++) packed += packer.pack(TEXT) === undefined ? 0 : 1;
    expect(packed).toBe(Math.ceil((64 * MIB) / TEXT.length) - 1);
    wrote(packer, 3 * MIB, 5);
    expect(packer.pack(TEXT)).toBeDefined();
  });
});
