import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ContentHash } from '@bk/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Incoming } from './incoming.ts';

let staging: string;
beforeEach(() => {
  staging = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-incoming-'));
});
afterEach(() => fs.rmSync(staging, { recursive: true }));

const BLAKE3 = 'ab'.repeat(32) as ContentHash;

test('a content with holes is gone on with where it was, also within a hole, and keeps them', () => {
  const bytes = Buffer.alloc(4_000_000);
  bytes.write('begin', 0);
  bytes.write('end', bytes.length - 3);
  const append = (from: number, to: number): void => {
    const file = new Incoming({ staging }).open(BLAKE3, bytes.length);
    expect(file.bytes).toBe(from);
    file.append(bytes.subarray(from, to), true);
    expect(file.bytes).toBe(to);
    file.close(false);
  };
  append(0, 1_000_001);
  append(1_000_001, 2_000_000);
  const incoming = new Incoming({ staging });
  const file = incoming.open(BLAKE3, bytes.length);
  file.cut(1_500_000);
  file.append(bytes.subarray(1_500_000), true);
  file.finish();
  file.close(false);
  incoming.settle();
  const whole = incoming.fileOf(BLAKE3)!;
  expect(fs.readFileSync(whole).equals(bytes)).toBe(true);
  expect(fs.statSync(whole).blocks).toBeLessThan(100);
});

test('what is written over was cut off before: nothing old shows through a hole', () => {
  const file = new Incoming({ staging }).open(BLAKE3, 100_000);
  file.append(Buffer.alloc(90_000, 'old'));
  file.cut(10);
  file.append(Buffer.alloc(90_000), true);
  const seen = Buffer.alloc(90_010);
  expect(file.read(0, seen)).toBe(90_010);
  expect(seen.equals(Buffer.concat([Buffer.from('oldoldoldo'), Buffer.alloc(90_000)]))).toBe(true);
  file.close(true);
});
