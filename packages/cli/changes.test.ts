import { type Change, type ChangeType, type RepoPath, summaryOf } from '@bk/core';
import { describe, expect, test } from 'vitest';
import { changesText, linesOf, problemsText, summaryText } from './changes.ts';

const plain = (_paint: string, text: string) => text;

function change(
  type: ChangeType,
  path: string,
  more: Partial<Omit<Change, 'from'>> & { from?: string } = {},
): Change {
  return { type, path: path as RepoPath, size: 10, ...more } as Change;
}

function renames(from: string, to: string, names: readonly string[]): Change[] {
  return names.map((name) => change('renamed', `${to}${name}`, { from: `${from}${name}` }));
}

describe('changes as text', () => {
  test('a moved folder is one line, named by what moved', () => {
    const moved = renames('Pictures/2019/', 'Archive/2019/', ['a.jpg', 'b.jpg', 'sub/c.jpg']);
    expect(changesText(moved, plain)).toBe('renamed  Pictures/2019/ → Archive/2019/  3 files\n');
  });

  test.each([
    ['a renamed folder', renames('old/', 'new/', ['x', 'y/z']), 'old/ → new/  2 files'],
    ['a folder moved up', renames('a/b/', 'b/', ['x', 'y']), 'a/b/ → b/  2 files'],
    ['a folder moved down', renames('b/', 'a/b/', ['x', 'y']), 'b/ → a/b/  2 files'],
    ['one file', renames('a/', 'b/', ['x']), 'a/x → b/x'],
    ['files into a folder', renames('', 'b/', ['x', 'y']), './ → b/  2 files'],
  ])('%s', (_name, moved, line) => {
    expect(changesText(moved, plain)).toBe(`renamed  ${line}\n`);
  });

  test('what was edited too stands alone', () => {
    const moved = [
      ...renames('a/', 'b/', ['x', 'y']),
      change('renamed', 'b/z', { from: 'a/z', fields: ['content', 'mtime'] }),
    ];
    expect(changesText(moved, plain)).toBe(
      'renamed  a/ → b/    2 files\nrenamed  a/z → b/z  edited, mtime\n',
    );
  });

  test('every file is in exactly one line', () => {
    const many = Array.from({ length: 500 }, (_, i) => change('added', `d${i % 7}/e${i % 50}/f${i}`));
    const lines = linesOf(many, 'added', false);
    expect(lines.length).toBeLessThanOrEqual(30);
    expect(lines.reduce((sum, line) => sum + line.files, 0)).toBe(500);
    expect(linesOf(many, 'added', true)).toHaveLength(500);
  });

  test('a deep new folder is named as deep as it goes', () => {
    const many = Array.from({ length: 40 }, (_, i) => change('added', `a/b/c/f${i}`));
    expect(changesText(many, plain)).toBe('added  a/b/c/  40 files, 400 B\n');
  });

  test('more lines than fit are counted, not dropped', () => {
    const many = Array.from({ length: 40 }, (_, i) => change('added', `f${i}`));
    expect(changesText(many, plain).trimEnd().split('\n').at(-1)).toMatch(/… and 10 more files added/);
  });

  test('rot is said loudly; names cannot write lines of their own', () => {
    const text = changesText([change('modified', 'a%0Aadded  b', { suspect: 'rot' })], plain);
    expect(text).toMatch(
      /^modified {2}a\\nadded {2}b {2}10 B content changed, but neither size nor time.*\n$/,
    );
  });

  test('summary and problems', () => {
    expect(summaryText(summaryOf([change('added', 'a'), change('added', 'b'), change('deleted', 'c')]))).toBe(
      '2 added, 1 deleted',
    );
    expect(problemsText('skipped:', [], plain)).toBe('');
    const problem = { path: 'a%0A' as RepoPath, reason: 'a socket' };
    expect(problemsText('skipped:', [problem], plain)).toBe('skipped:\n  a\\n  a socket\n');
  });
});
