import { expect, test } from 'vitest';
import type { ContentHash, ObjectId } from '../ids.ts';
import { type Duplicate, duplicatesAsked, groupDuplicates } from './duplicates.ts';
import { parseQuery } from './parse-query.ts';

test.each([
  ['duplicates:exact', 'exact'],
  ['is:duplicate', 'exact'],
  ['type:image (duplicates:payload taken:2019)', 'payload'],
  ['duplicates:exact or kids', undefined],
  ['not:duplicates:exact', undefined],
  ['kids', undefined],
])('%s asks all that it finds to be duplicates: %s', (text, of) => {
  expect(duplicatesAsked(parseQuery(text, { ms: 0, offsetMinutes: () => 0 }))).toBe(of);
});

function duplicate(group: string, inode: string, size: number, present = true): Duplicate {
  return { group: group as ContentHash, inode: inode as ObjectId, size, present };
}

test('the most to save comes first; names of one inode and what is not here take no room', () => {
  const found = [
    duplicate('letter', '1', 10),
    duplicate('film', '2', 700, false),
    duplicate('photo', '3', 40),
    duplicate('letter', '4', 10),
    duplicate('photo', '5', 44),
    duplicate('photo', '5', 44),
    duplicate('film', '6', 700),
    duplicate('letter', '7', 10),
  ];
  expect(groupDuplicates(found)).toEqual([
    { group: 'photo', files: 3, size: 44, saved: 40 },
    { group: 'letter', files: 3, size: 10, saved: 20 },
    { group: 'film', files: 2, size: 700, saved: 0 },
  ]);
  expect(groupDuplicates([])).toEqual([]);
});
