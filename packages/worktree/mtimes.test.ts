import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { secondsText, setMtimes } from './mtimes.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-mtimes-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('secondsText', () => {
  it.each([
    [0n, '0.000000000'],
    [1n, '0.000000001'],
    [-1n, '-0.000000001'],
    [-1_500_000_000n, '-1.500000000'],
    [1_700_000_000_123_456_789n, '1700000000.123456789'],
  ])('%s', (ns, text) => {
    expect(secondsText(ns)).toBe(text);
  });
});

describe('setMtimes', () => {
  const TIMES = [
    1_700_000_000_123_456_789n,
    1_700_000_000_000_000_001n,
    999_999_999n,
    1n,
    0n,
    -1n,
    -999_999_999n,
    -1_000_000_001n,
    -86_400_000_000_003n,
    4_102_444_800_000_000_007n,
  ];

  it('is exact to the nanosecond for files, links to files, symlinks and files that cannot be opened', () => {
    const wanted = TIMES.flatMap((mtimeNs, i) => [
      { name: `s${i}`, mtimeNs },
      { name: `l${i}`, mtimeNs },
    ]);
    TIMES.forEach((_, i) => {
      fs.writeFileSync(path.join(folder, `s${i}`), `content ${i}`, { mode: i % 2 ? 0o400 : 0o600 });
      fs.symlinkSync('nowhere', path.join(folder, `l${i}`));
    });
    expect(setMtimes(folder, wanted)).toEqual([]);
    for (const { name, mtimeNs } of wanted) {
      expect(fs.lstatSync(path.join(folder, name), { bigint: true }).mtimeNs).toBe(mtimeNs);
    }
    TIMES.forEach((_, i) => {
      expect(fs.readFileSync(path.join(folder, `s${i}`), 'utf8')).toBe(`content ${i}`);
      expect(fs.statSync(path.join(folder, `s${i}`)).mode & 0o777).toBe(i % 2 ? 0o400 : 0o600);
    });
    expect(fs.readdirSync(folder)).toHaveLength(2 * TIMES.length);
  });
});
