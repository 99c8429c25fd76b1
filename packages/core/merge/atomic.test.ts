import { describe, expect, test } from 'vitest';
import { type Case, check } from './table.fixture.ts';
import { mergeWhole, treeOf } from './tree.fixture.ts';

const GIT = '%2Egit';

describe('what is not blended', () => {
  test.each<[string, Case]>([
    [
      'a project in which both sides committed is kept twice',
      {
        base: { [`p/${GIT}/HEAD`]: 'h 1', [`p/${GIT}/o`]: 'o 2', 'p/src': 's 3', x: 'x 4' },
        alpha: { [`p/${GIT}/HEAD`]: 'h 5', [`p/${GIT}/o`]: 'o 2', 'p/src': 's 6', x: 'x 4' },
        beta: {
          [`p/${GIT}/HEAD`]: 'h 7 t=86400',
          [`p/${GIT}/o`]: 'o 2',
          'p/src': 's 3',
          'p/new': 'n 8',
          x: 'x 9',
        },
        merged: {
          'p/': 'new',
          [`p/${GIT}/HEAD`]: 'h 7',
          [`p/${GIT}/o`]: 'o 2',
          'p/new': 'n 8',
          'p/src': 's 3',
          'p (conflict alpha 1970-01-01)/': 'new',
          [`p (conflict alpha 1970-01-01)/${GIT}/HEAD`]: 'new 5',
          [`p (conflict alpha 1970-01-01)/${GIT}/o`]: 'new 2',
          'p (conflict alpha 1970-01-01)/src': 'new 6',
          x: 'x 9',
        },
        conflicts: ['atomic p: p (conflict alpha 1970-01-01)'],
      },
    ],
    [
      'a project in which one side committed, and the other moved it and worked in it',
      {
        base: { [`p/${GIT}/HEAD`]: 'h 1', 'p/src': 's 2' },
        alpha: { [`p/${GIT}/HEAD`]: 'h 3', 'p/src': 's 2' },
        beta: { [`q/${GIT}/HEAD`]: 'h 1', 'q/src': 's 4' },
        merged: { [`q/${GIT}/HEAD`]: 'h 3', 'q/src': 's 4' },
      },
    ],
    [
      'the same commit on both sides',
      {
        base: { [`p/${GIT}/HEAD`]: 'h 1', 'p/src': 's 2' },
        alpha: { [`p/${GIT}/HEAD`]: 'h 3', 'p/src': 's 4' },
        beta: { [`p/${GIT}/HEAD`]: 'h 3', 'p/src': 's 2', 'p/n': 'n 5' },
        merged: { [`p/${GIT}/HEAD`]: 'h 3', 'p/n': 'n 5', 'p/src': 's 4' },
      },
    ],
    [
      'a project that moved, and both sides committed',
      {
        base: { [`p/${GIT}/HEAD`]: 'h 1', 'p/src': 's 2' },
        alpha: { [`d/q/${GIT}/HEAD`]: 'h 3', 'd/q/src': 's 2' },
        beta: { [`p/${GIT}/HEAD`]: 'h 4', 'p/src': 's 5' },
        merged: {
          'd/q/': 'new',
          [`d/q/${GIT}/HEAD`]: 'h 4',
          'd/q/src': 's 5',
          'd/q (conflict alpha 1970-01-01)/': 'new',
          [`d/q (conflict alpha 1970-01-01)/${GIT}/HEAD`]: 'new 3',
          'd/q (conflict alpha 1970-01-01)/src': 'new 2',
        },
        conflicts: ['atomic d/q: d/q (conflict alpha 1970-01-01)'],
      },
    ],
    [
      'both sides have a project of that name',
      {
        base: {},
        alpha: { [`p/${GIT}/HEAD`]: 'a 1', 'p/src': 'b 2' },
        beta: { [`p/${GIT}/HEAD`]: 'c 3', 'p/src': 'd 2' },
        merged: {
          'p/': 'new',
          [`p/${GIT}/HEAD`]: 'c 3',
          'p/src': 'd 2',
          'p (conflict alpha 1970-01-01)/': 'new',
          [`p (conflict alpha 1970-01-01)/${GIT}/HEAD`]: 'new 1',
          'p (conflict alpha 1970-01-01)/src': 'new 2',
        },
        conflicts: ['atomic p: p (conflict alpha 1970-01-01)'],
      },
    ],
    [
      'a project that one side deleted and the other committed to',
      {
        base: { [`p/${GIT}/HEAD`]: 'h 1', [`p/${GIT}/o`]: 'o 2', 'p/src': 's 3' },
        alpha: {},
        beta: { [`p/${GIT}/HEAD`]: 'h 4', [`p/${GIT}/o`]: 'o 2', 'p/src': 's 3' },
        merged: { 'p/': 'new', [`p/${GIT}/HEAD`]: 'h 4', [`p/${GIT}/o`]: 'o 2', 'p/src': 's 3' },
        conflicts: ['delete-edit p:'],
      },
    ],
    [
      'what a side moved out of the project that does not stay',
      {
        base: { [`p/${GIT}/HEAD`]: 'h 1', 'p/src': 's 2' },
        alpha: { [`p/${GIT}/HEAD`]: 'h 3', out: 's 2' },
        beta: { [`p/${GIT}/HEAD`]: 'h 4', 'p/src': 's 2' },
        merged: {
          out: 'new 2',
          'p/': 'new',
          [`p/${GIT}/HEAD`]: 'h 4',
          'p/src': 's 2',
          'p (conflict alpha 1970-01-01)/': 'new',
          [`p (conflict alpha 1970-01-01)/${GIT}/HEAD`]: 'new 3',
        },
        conflicts: ['atomic p: p (conflict alpha 1970-01-01)'],
      },
    ],
    [
      'an atomic entity that was changed anywhere on both sides',
      {
        base: { 'e/': 'e entity=film atomic=', 'e/a': 'a 1', 'e/b': 'b 2' },
        alpha: { 'e/': 'e entity=film atomic=', 'e/a': 'a 3', 'e/b': 'b 2' },
        beta: { 'e/': 'e entity=film atomic=', 'e/a': 'a 1', 'e/b': 'b 4' },
        merged: {
          'e/': 'e',
          'e/a': 'a 1',
          'e/b': 'b 4',
          'e (conflict alpha 1970-01-01)/': 'new',
          'e (conflict alpha 1970-01-01)/a': 'new 3',
          'e (conflict alpha 1970-01-01)/b': 'new 2',
        },
        conflicts: ['atomic e: e (conflict alpha 1970-01-01)'],
      },
    ],
    [
      'a folder that both sides made, an atomic entity only on one',
      {
        base: {},
        alpha: { 'e/': 'e entity=film atomic=', 'e/a': 'a 1' },
        beta: { 'e/a': 'b 2' },
        merged: {
          'e/': 'new',
          'e/a': 'b 2',
          'e (conflict alpha 1970-01-01)/': 'new',
          'e (conflict alpha 1970-01-01)/a': 'new 1',
        },
        conflicts: ['atomic e: e (conflict alpha 1970-01-01)'],
      },
    ],
    [
      'an entity that is not atomic is blended',
      {
        base: { 'e/': 'e entity=film', 'e/a': 'a 1', 'e/b': 'b 2' },
        alpha: { 'e/': 'e entity=film', 'e/a': 'a 3', 'e/b': 'b 2' },
        beta: { 'e/': 'e entity=film', 'e/a': 'a 1', 'e/b': 'b 4' },
        merged: { 'e/': 'e', 'e/a': 'a 3', 'e/b': 'b 4' },
      },
    ],
    [
      'a project at the root: its .git is kept twice',
      {
        base: { [`${GIT}/HEAD`]: 'h 1', src: 's 2' },
        alpha: { [`${GIT}/HEAD`]: 'h 3', src: 's 4' },
        beta: { [`${GIT}/HEAD`]: 'h 5', src: 's 2', n: 'n 6' },
        merged: {
          [`${GIT}/`]: 'new',
          [`${GIT}/HEAD`]: 'h 5',
          '.git (conflict alpha 1970-01-01)/': 'new',
          '.git (conflict alpha 1970-01-01)/HEAD': 'new 3',
          n: 'n 6',
          src: 's 4',
        },
        conflicts: ['atomic %2Egit: .git (conflict alpha 1970-01-01)'],
      },
    ],
  ])('%s', (_name, one) => check(one));

  test('records of both folders tell of it', () => {
    const outcome = mergeWhole([
      treeOf({ [`p/${GIT}/HEAD`]: 'h 1' }),
      treeOf({ [`p/${GIT}/HEAD`]: 'h 2' }),
      treeOf({ [`p/${GIT}/HEAD`]: 'h 3' }),
    ]);
    const conflict = {
      kind: 'atomic',
      versions: [{ path: 'p' }, { path: 'p (conflict alpha 1970-01-01)' }],
    };
    const told = [...outcome.tree].filter(([, { record }]) => record.conflict !== undefined);
    expect(told.map(([path, { record }]) => [path, record.conflict])).toEqual([
      ['p', conflict],
      ['p (conflict alpha 1970-01-01)', conflict],
    ]);
  });
});
