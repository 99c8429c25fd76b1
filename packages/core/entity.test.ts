import { expect, test } from 'vitest';
import { entityAround, parseEntityKind } from './entity.ts';
import type { RepoPath } from './path.ts';

test.each([
  ['album', 'album'],
  [' Fotobuch e\u0301te\u0301 ', 'Fotobuch été'],
])('a kind is what a person calls it: %j', (given, kind) => {
  expect(parseEntityKind(given)).toBe(kind);
});

test.each(['', ' ', 'a\nb', 'x'.repeat(65)])('%j is no kind', (given) => {
  expect(() => parseEntityKind(given)).toThrow(/--kind/);
});

test.each([
  ['a/b/c', 'a'],
  ['a', 'a'],
  ['x/y', 'x/y'],
  ['x/y/z', 'x/y'],
  ['x', undefined],
  ['ab', undefined],
  ['', undefined],
])('the entity around %j is %j', (path, around) => {
  expect(entityAround(path as RepoPath, new Set(['a', 'a/b', 'x/y'] as RepoPath[]))).toBe(around);
});
