import { describe, expect, test } from 'vitest';
import { count, counted, duration, localTime, size, table } from './format.ts';

describe('format', () => {
  test.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1_234_567, '1,234,567'],
  ])('count %i is %s', (value, text) => expect(count(value)).toBe(text));

  test('counted takes the plural', () => {
    expect(counted(1, 'file')).toBe('1 file');
    expect(counted(0, 'file')).toBe('0 files');
    expect(counted(1240, 'copy', 'copies')).toBe('1,240 copies');
  });

  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [99_949, '99.9 kB'],
    [99_960, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [3_200_000_000, '3.2 GB'],
    [Number.MAX_SAFE_INTEGER, '9.0 PB'],
  ])('size %i is %s', (value, text) => expect(size(value)).toBe(text));

  test.each([
    [0.2, '1 s'],
    [89, '89 s'],
    [91, '2 min'],
    [3600, '1 h 00 min'],
    [7500, '2 h 05 min'],
  ])('duration %d is %s', (value, text) => expect(duration(value)).toBe(text));

  test('localTime shows the day and second, and anything else as it is', () => {
    expect(localTime('2026-10-01T12:03:22+00:00')).toMatch(/^2026-10-0[12] \d\d:03:22$/);
    expect(localTime('never')).toBe('never');
  });

  test('table aligns, colours not counted', () => {
    expect(table([['\x1b[31ma\x1b[0m', '1'], ['bbb', '200']], [1])).toBe('\x1b[31ma\x1b[0m      1\nbbb  200\n'); // biome-ignore format: short
    expect(table([])).toBe('');
  });
});
