import { describe, expect, test } from 'vitest';
import { copiesOf, type HeldFile, type RepoPath, underCopied, volumesOf } from './index.ts';

const on = (...volumes: string[]) => volumes.map((volume) => ({ volume }));

describe('copies are counted by volume (SPEC 5, L03)', () => {
  test.each<[string[], number]>([
    [[], 0],
    [['a'], 1],
    [['a', 'a', 'a'], 1],
    [['a', 'b', 'a'], 2],
    [['a', ''], 1],
  ])('held on %j: %i', (volumes, copies) => expect(copiesOf(on(...volumes))).toBe(copies));

  test('the own volume can be left out', () => {
    expect(copiesOf(on('a', 'b', 'a'), 'a')).toBe(1);
    expect([...volumesOf(on('a', 'b', 'c'), 'b')]).toEqual(['a', 'c']);
  });
});

test('underCopied: fewer than min, with a summary; what the history holds never is', () => {
  const held = (path: string, size: number, volumes: string[], more: Partial<HeldFile> = {}): HeldFile => ({
    path: path as RepoPath,
    size,
    holders: on(...volumes),
    ...more,
  });
  const files = [
    held('two', 5, ['a', 'b']),
    held('one', 7, ['a', 'a']),
    held('none', 9, []),
    held('empty', 0, []),
    held('link', 4, [], { type: 'symlink' }),
  ];
  expect(underCopied(files, 2)).toEqual({
    under: [
      { path: 'one', copies: 1 },
      { path: 'none', copies: 0 },
    ],
    summary: { files: 5, bytes: 25, under: { files: 2, bytes: 16 }, lost: 1 },
  });
  expect(underCopied(files, 1).under.map(({ path }) => path)).toEqual(['none']);
});
