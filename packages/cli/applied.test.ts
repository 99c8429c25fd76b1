import type { Change, ContentHash, MergeConflict, RepoPath } from '@bk/core';
import { describe, expect, test } from 'vitest';
import { appliedText, countsOf, type Followed, keptPaths } from './applied.ts';
import { conflictsText } from './conflicts.ts';

const plain = (_paint: string, text: string) => text;
const path = (text: string) => text as RepoPath;

function followed(more: Partial<Followed>): Followed {
  return {
    applied: { renamed: 0, copied: 0, updated: 0, deleted: 0 },
    moved: [],
    changed: [],
    transferred: { files: 0, bytes: 0 },
    ...more,
  };
}

function change(type: Change['type'], at: string): Change {
  return { type, path: path(at), size: 1000, blake3: '0'.repeat(64) as ContentHash };
}

function text(done: Followed, without: readonly string[] = [], long = false): string {
  return appliedText(done, { style: plain, long, without: new Set(without.map(path)) });
}

describe('what a merge did', () => {
  test('a folder that moved is one line, a file is named', () => {
    const moved = [
      { from: path('Pictures/2019'), to: path('Archive/2019'), files: 1240 },
      { from: path('letter.txt'), to: path('notes/letter.txt'), files: 1, file: true },
      { from: path('inbox'), to: path(''), files: 1 },
      { from: path('empty'), to: path('void'), files: 0 },
    ] as const;
    expect(text(followed({ moved })).split('\n')).toEqual([
      'moved  1,240 files with Pictures/2019/ → Archive/2019/',
      'moved  letter.txt → notes/letter.txt',
      'moved  1 file with inbox/ → ./',
      'moved  empty/ → void/',
      '',
    ]);
  });

  test('then each change, without what is told elsewhere', () => {
    const changed = [change('added', 'copy'), change('deleted', 'old'), change('modified', 'new')];
    const moved = [{ from: path('a'), to: path('copy'), files: 1, file: true }] as const;
    expect(text(followed({ moved, changed }), ['copy'])).toBe('modified  new  1.0 kB\ndeleted   old\n');
  });

  test('of many lines the others are counted, or told if wanted', () => {
    const moved = Array.from({ length: 40 }, (_, i) => ({
      from: path(`a${i}`),
      to: path(`b${i}`),
      files: 2,
    }));
    expect(text(followed({ moved })).split('\n').slice(30)).toEqual([
      '       … and 20 more files moved (--long lists them)',
      '',
    ]);
    expect(text(followed({ moved }), [], true).split('\n')).toHaveLength(41);
  });

  test('counts name what there is', () => {
    const applied = { renamed: 1240, copied: 0, updated: 2, deleted: 0 };
    expect(countsOf(followed({ applied }))).toEqual(['1,240 moved', '2 updated']);
    expect(countsOf(followed({ applied, transferred: { files: 1, bytes: 5_000_000 } })).at(-1)).toBe(
      '1 content fetched, 5.0 MB',
    );
  });
});

describe('conflicts', () => {
  const conflict: MergeConflict = {
    path: path('a.txt'),
    kind: 'content',
    kept: [path('a (conflict x).txt')],
  };

  test('are told with what is kept where, and what to do', () => {
    expect(conflictsText([conflict], plain, false)).toBe(
      [
        'conflicts: 1',
        '  a.txt  changed on both sides; the newer content stays',
        '    kept: a (conflict x).txt',
        'next: look at both, then `bk resolve PATH`; `bk conflicts` lists them again',
        '',
      ].join('\n'),
    );
    expect(conflictsText([conflict], plain, true)).not.toContain('next');
    expect(conflictsText([], plain, false)).toBe('');
    expect([...keptPaths([conflict])]).toEqual(['a (conflict x).txt']);
  });

  test('names cannot write lines of their own', () => {
    const odd = { ...conflict, path: path('a%0Ab'), kept: [path('c%1Bd')] };
    expect(conflictsText([odd], plain, true)).toContain('  a\\nb  ');
    expect(conflictsText([odd], plain, true)).toContain('kept: c\\ed');
  });
});
