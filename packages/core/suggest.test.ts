import { expect, test } from 'vitest';
import { closest, distance } from './suggest.ts';

test.each([
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
  ['stauts', 'status', 1],
  ['same', 'same', 0],
])('distance of %j and %j is %i', (a, b, edits) => expect(distance(a, b)).toBe(edits));

test('the closest word, if one is close', () => {
  const verbs = ['status', 'commit', 'log', 'ls'];
  expect(closest('comit', verbs)).toBe('commit');
  expect(closest('STATUS', verbs)).toBe('status');
  expect(closest('frobnicate', verbs)).toBeUndefined();
  expect(closest('x', verbs)).toBeUndefined();
});
