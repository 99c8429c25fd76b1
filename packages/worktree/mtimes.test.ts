import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { secondsText, setMtimeOf, setMtimes } from './mtimes.ts';
import { native } from './native.ts';

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

  /** ext4 keeps 1901 to 2446, without parts of the first and last second; other file systems more. */
  const anyTime = fc.bigInt(-2_147_483_647_000_000_000n, 15_032_385_534_999_999_999n);

  it('is exact for any time that the file system keeps, by path and by descriptor', ({ skip }) => {
    const system = native();
    skip(system === undefined, 'koffi is not there for this system');
    const file = path.join(folder, 'f\u00e9');
    const link = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x6c, 0xff])]);
    fs.writeFileSync(file, 'content');
    fs.symlinkSync('nowhere', link);
    const fd = fs.openSync(file, 'r');
    const before = fs.fstatSync(fd, { bigint: true });
    fc.assert(
      fc.property(anyTime, anyTime, anyTime, (a, b, c) => {
        setMtimeOf(file, a);
        expect(fs.statSync(file, { bigint: true }).mtimeNs).toBe(a);
        setMtimeOf(link, b);
        expect(fs.lstatSync(link, { bigint: true }).mtimeNs).toBe(b);
        system?.setMtime(fd, c);
        expect(fs.fstatSync(fd, { bigint: true }).mtimeNs).toBe(c);
      }),
    );
    const after = fs.fstatSync(fd, { bigint: true });
    fs.closeSync(fd);
    expect([after.size, after.mode]).toEqual([before.size, before.mode]);
  });

  it('says what went wrong as Node does', () => {
    const file = path.join(folder, 'none');
    expect(() => setMtimeOf(file, 0n)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });

  it('comes near without the native call', () => {
    const file = path.join(folder, 'f');
    fs.writeFileSync(file, '');
    const source = JSON.stringify(path.join(import.meta.dirname, 'mtimes.ts'));
    const code = `import { setMtimeOf, setMtimes } from ${source};
      setMtimeOf(${JSON.stringify(file)}, 1_700_000_000_123_456_789n);
      console.log(setMtimes(${JSON.stringify(folder)}, [{ name: 'f', mtimeNs: -1_600_000_000_123_456_789n }]).join());`;
    const env = { ...process.env, BK_NO_NATIVE: '1' };
    const words = ['--input-type=module', '-e', code];
    expect(execFileSync(process.execPath, words, { env, encoding: 'utf8' })).toBe('f\n');
    const off = fs.statSync(file, { bigint: true }).mtimeNs + 1_600_000_000_123_456_789n;
    expect(off > -1000n && off < 1000n && off !== 0n).toBe(true);
  });
});
