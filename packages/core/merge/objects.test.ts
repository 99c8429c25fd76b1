import { describe, expect, test } from 'vitest';
import { matchObjects } from './objects.ts';
import { treeOf, type Words } from './tree.fixture.ts';

/** Paths of each object in the three trees. */
function match(base: Words, first: Words, second: Words): string[] {
  const [b, x, y] = [base, first, second].map((words) => [...treeOf(words).values()]);
  const objects = matchObjects(b ?? [], [x ?? [], y ?? []]);
  const of = objects.map((one) => [one.base, ...one.sides].map((entry) => entry?.path ?? '-').join(' '));
  const swapped = matchObjects(b ?? [], [y ?? [], x ?? []]);
  expect(
    swapped
      .map((one) => [one.base, one.sides[1], one.sides[0]].map((entry) => entry?.path ?? '-').join(' '))
      .sort(),
  ).toEqual(of.sort());
  return of;
}

describe('matchObjects', () => {
  test('by id, wherever it is', () => {
    expect(match({ a: 'a 1', b: 'b 2' }, { c: 'a 1', n: 'n 3' }, { b: 'b 2', m: 'm 4' })).toEqual([
      '- - m',
      '- n -',
      'a c -',
      'b - b',
    ]);
  });

  test('by id also without a base', () => {
    expect(match({}, { a: 'a 1' }, { b: 'a 2' })).toEqual(['- a b']);
  });

  test('by the id that it was, in either direction', () => {
    expect(match({ b: 'b 1' }, { x: 'a 1 was=b' }, { b: 'b 1' })).toEqual(['b x b']);
    expect(match({ x: 'a 1 was=b' }, { x: 'a 1 was=b' }, { b: 'b 1' })).toEqual(['x x b']);
    expect(match({}, { x: 'a 1 was=c' }, { y: 'b 1 was=c' })).toEqual(['- x y']);
  });

  test('the id itself before what it was', () => {
    expect(match({ a: 'a 1', b: 'b 1' }, { x: 'a 1 was=b' }, { a: 'a 1', b: 'b 1' })).toEqual([
      'a x a',
      'b - b',
    ]);
  });

  test('an id that a tree has twice: same path first, then in order, and nothing is left out', () => {
    expect(match({ a: 'a 1' }, { a: 'a 1', b: 'a 1' }, { a: 'a 1' })).toEqual(['- b -', 'a a a']);
    expect(match({ a: 'a 1', b: 'a 1' }, { b: 'a 1', c: 'a 1' }, { b: 'a 1' })).toEqual(['a c -', 'b b b']);
    expect(match({ a: 'a 1' }, { b: 'a 1', c: 'a 1' }, { b: 'a 1', c: 'a 1' })).toEqual(['- c c', 'a b b']);
  });
});
