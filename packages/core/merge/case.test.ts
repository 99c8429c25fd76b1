import { describe, test } from 'vitest';
import { type Case, check } from './table.fixture.ts';

describe('names that differ by letter case', () => {
  test.each<[string, Case]>([
    [
      'added by one side each',
      {
        base: {},
        alpha: { 'd/A.jpg': 'a 1' },
        beta: { 'd/a.JPG': 'b 2' },
        merged: { 'd/A.jpg': 'a 1', 'd/a.JPG': 'b 2' },
        conflicts: ['case d/a.JPG: d/A.jpg'],
      },
    ],
    [
      'that one side has beside each other, also in a folder that the other renamed',
      {
        base: { 'd/x': 'x 1' },
        alpha: { 'd/x': 'x 1', 'd/a': 'a 2', 'd/A': 'b 3' },
        beta: { 'e/x': 'x 1' },
        merged: { 'e/A': 'b 3', 'e/a': 'a 2', 'e/x': 'x 1' },
      },
    ],
    [
      'of folders: once, not for each file',
      {
        base: {},
        alpha: { 'Pics/a': 'a 1', 'Pics/b': 'b 2' },
        beta: { 'pics/a': 'c 3', 'pics/b': 'd 4' },
        merged: { 'Pics/a': 'a 1', 'Pics/b': 'b 2', 'pics/a': 'c 3', 'pics/b': 'd 4' },
        conflicts: ['case pics: Pics'],
      },
    ],
    [
      'in different folders',
      { base: {}, alpha: { 'a/x': 'x 1' }, beta: { 'b/X': 'y 2' }, merged: { 'a/x': 'x 1', 'b/X': 'y 2' } },
    ],
    [
      'a change of case against an edit',
      { base: { a: 'a 1' }, alpha: { A: 'a 1' }, beta: { a: 'a 2' }, merged: { A: 'a 2' } },
    ],
    [
      'carried along to what nobody touched',
      {
        base: { 'a/x': 'x 1', 'c/y': 'y 2', 'c/N.jpg': 'o 7' },
        alpha: { 'c/x': 'x 1', 'c/y': 'y 2', 'c/N.jpg': 'o 7' },
        beta: { 'a/x': 'x 1', 'a/n.jpg': 'n 3', 'c/y': 'y 2', 'c/N.jpg': 'o 7' },
        merged: { 'c/N.jpg': 'o 7', 'c/n.jpg': 'n 3', 'c/x': 'x 1', 'c/y': 'y 2' },
        conflicts: ['case c/n.jpg: c/N.jpg'],
      },
    ],
  ])('%s', (_name, one) => check(one));
});
