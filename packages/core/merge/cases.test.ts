import { describe, expect, test } from 'vitest';
import { ATOMIC } from './cases-atomic.fixture.ts';
import { COLLISIONS } from './cases-collisions.fixture.ts';
import { CONTENTS } from './cases-contents.fixture.ts';
import { FIELDS } from './cases-fields.fixture.ts';
import { FOLDERS } from './cases-folders.fixture.ts';
import { FOLDERS_ODD } from './cases-folders-odd.fixture.ts';
import { RENAMES } from './cases-renames.fixture.ts';
import { UNRELATED } from './cases-unrelated.fixture.ts';
import { expected, merged } from './merge.fixture.ts';
import type { TreeText } from './merge-tree.fixture.ts';

const GROUPS = {
  'contents, times, modes, types, deletion': CONTENTS,
  'names and places of files': RENAMES,
  'attributes, other fields, records of folders': FIELDS,
  'renamed folders': FOLDERS,
  'renamed folders, moved from both sides': FOLDERS_ODD,
  'two at one path': COLLISIONS,
  'unrelated histories': UNRELATED,
  'what is not blended': ATOMIC,
} as const;

/** `merged` runs each case from both sides and holds it against all that holds for every merge. */
describe.each(Object.entries(GROUPS))('merge: %s', (_, cases) => {
  test.each(cases)('$name', ({ base, a, b, tree, conflicts = [] }) => {
    const wanted = expected(tree);
    expect(merged(base, a, b)).toEqual({ tree: wanted, conflicts });
  });
});

test('merge: the table is as long as was promised, and no case has the name of another', () => {
  const names = Object.values(GROUPS).flatMap((cases) => cases.map(({ name }) => name));
  expect(names.length).toBeGreaterThan(200);
  expect(names.filter((name, i) => names.indexOf(name) < i)).toEqual([]);
});

const COUNT = 100;
const numbered = (text: (i: number) => readonly [string, string]): TreeText =>
  Object.fromEntries(Array.from({ length: COUNT }, (_, i) => text(i)));

describe('merge: names and places of files', () => {
  test('G18 a circle of a hundred here, every third edited there', () => {
    const edit = (i: number): string => (i % 3 === 0 ? `new${i} t=2` : `old${i}`);
    const result = merged(
      numbered((i) => [`f${i}`, `${i} old${i}`]),
      numbered((i) => [`f${(i + 1) % COUNT}`, `${i} old${i}`]),
      numbered((i) => [`f${i}`, `${i} ${edit(i)}`]),
    );
    expect(result).toEqual({
      tree: expected(numbered((i) => [`f${(i + 1) % COUNT}`, `${i} ${edit(i)}`])),
      conflicts: [],
    });
  });

  test('G34 a hundred files of equal content, moved here, some deleted and edited there: ids decide', () => {
    const kept = (i: number): boolean => i % 10 !== 0;
    const only = (tree: TreeText): TreeText =>
      Object.fromEntries(Object.entries(tree).filter(([, spec]) => kept(Number.parseInt(spec, 10))));
    const result = merged(
      numbered((i) => [`d/f${i}`, `${i} same`]),
      numbered((i) => [`e${i % 7}/f${i}`, `${i} same`]),
      only(numbered((i) => [`d/f${i}`, `${i} same`])),
    );
    const deleted = result.conflicts.map((conflict) => conflict.split(' ')[0]);
    expect(Object.keys(result.tree).length).toBe(COUNT);
    expect(deleted).toEqual(Array.from({ length: COUNT / 10 }, () => 'delete-edit'));
  });
});
