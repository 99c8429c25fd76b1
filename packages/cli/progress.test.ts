import { describe, expect, test } from 'vitest';
import { ProgressLine, progressText } from './progress.ts';

function line() {
  const written: string[] = [];
  let now = 0;
  const progress = new ProgressLine({ write: (text) => written.push(text), now: () => now, width: () => 40 });
  return { progress, written, at: (ms: number) => (now = ms) };
}

describe('the progress line', () => {
  test('short work shows nothing and leaves nothing', () => {
    const { progress, written, at } = line();
    for (let ms = 0; ms < 300; ms += 10) {
      at(ms);
      progress.report({ phase: 'scan', files: ms, bytes: 0 });
    }
    progress.clear();
    expect(written).toEqual([]);
  });

  test('is renewed ten times a second, stays in one row, and goes away', () => {
    const { progress, written, at } = line();
    for (let ms = 0; ms <= 1300; ms += 10) {
      at(ms);
      progress.report({ phase: 'hash', files: 1000 + ms, bytes: ms * 1000, path: 'x'.repeat(100) });
    }
    expect(written).toHaveLength(11);
    for (const text of written) expect(text.replace('\r\x1b[K', '')).toHaveLength(39);
    progress.clear();
    progress.clear();
    expect(written.slice(11)).toEqual(['\r\x1b[K']);
  });

  test.each([
    [{ files: 1240, bytes: 0 }, 5, 'reading  1,240 files'],
    [
      { files: 1, bytes: 5_000_000, totalFiles: 2, totalBytes: 20_000_000 },
      2,
      'reading  1 of 2 files  5.0 MB of 20.0 MB  2.5 MB/s  6 s left',
    ],
    [{ files: 10, bytes: 0, totalFiles: 40 }, 10, 'reading  10 of 40 files  30 s left'],
    [{ files: 1, bytes: 0, path: 'a\x1b[2J' }, 0, 'reading  1 files  a\\e[2J'],
  ])('%j after %d s', (progress, seconds, text) => {
    expect(progressText({ phase: 'hash', ...progress }, seconds)).toBe(text);
  });
});
