import type { ContentHash, GitId } from '@bk/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyDirectory, directoryOf, plain } from './row.fixture.ts';
import { decodeRow, encodeRow } from './row.ts';

const HASH = 'cd'.repeat(32) as ContentHash;
const small = { ...directoryOf({ 'f\xff\xfe\n': { hash: HASH, inode: (1n << 64n) - 1n } }), mount: true };

describe('a packed row', () => {
  it('gives back what went in, also from unaligned bytes', () => {
    fc.assert(
      fc.property(anyDirectory, fc.nat(15), (directory, shift) => {
        const row = encodeRow(directory);
        expect(plain(decodeRow(row))).toEqual(plain(directory));
        const shifted = new Uint8Array(row.length + shift);
        shifted.set(row, shift);
        expect(plain(decodeRow(shifted.subarray(shift)))).toEqual(plain(directory));
      }),
    );
  });

  it('does not change while it is looked at, nor hold on to the bytes beside it', () => {
    const row = encodeRow(small);
    const before = Buffer.from(row);
    const decoded = decodeRow(row)!;
    expect(row).toEqual(before);
    expect(plain(decodeRow(encodeRow(decoded)))).toEqual(plain(small));
    expect(encodeRow(decoded)).toEqual(row);
  });

  it('is refused after any damage to any one byte', () => {
    const row = encodeRow(small);
    for (let at = 0; at < row.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const damaged = Buffer.from(row);
        damaged[at]! ^= flip;
        expect(decodeRow(damaged), `byte ${at}`).toBeUndefined();
      }
    }
  });

  it('is refused cut off anywhere, or with more behind it', () => {
    const row = encodeRow(small);
    for (let length = 0; length < row.length; length++) {
      expect(decodeRow(row.subarray(0, length)), `${length} bytes`).toBeUndefined();
    }
    expect(decodeRow(Buffer.concat([row, Buffer.alloc(1)]))).toBeUndefined();
    expect(decodeRow(Buffer.alloc(row.length))).toBeUndefined();
  });

  it('is never an exception, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(decodeRow(bytes)).toBeUndefined();
      }),
    );
  });

  it('keeps the tree that it mirrors', () => {
    const tree = '0123456789abcdef0123456789abcdef01234567' as GitId;
    expect(decodeRow(encodeRow({ ...small, tree }))?.tree).toBe(tree);
  });
});
