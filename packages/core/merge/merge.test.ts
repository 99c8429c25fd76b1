import { describe, test } from 'vitest';
import { type Case, check } from './table.fixture.ts';

describe('mergeTrees', () => {
  test.each<[string, Case]>([
    [
      'additions on both sides',
      {
        base: { x: 'x 1' },
        alpha: { x: 'x 1', a: 'a 2' },
        beta: { x: 'x 1', 'b/c': 'c 3' },
        merged: { a: 'a 2', 'b/c': 'c 3', x: 'x 1' },
      },
    ],
    [
      'an edit and a rename',
      { base: { a: 'a 1' }, alpha: { b: 'a 1' }, beta: { a: 'a 2 t=5' }, merged: { b: 'a 2' } },
    ],
    [
      'a deletion against nothing',
      {
        base: { a: 'a 1', b: 'b 2' },
        alpha: { b: 'b 2' },
        beta: { a: 'a 1', b: 'b 2' },
        merged: { b: 'b 2' },
      },
    ],
    [
      'a deletion against an edit',
      {
        base: { a: 'a 1' },
        alpha: {},
        beta: { a: 'a 2' },
        merged: { a: 'a 2' },
        conflicts: ['delete-edit a:'],
      },
    ],
    [
      'a deletion against mtime and mode',
      { base: { a: 'a 1' }, alpha: {}, beta: { a: 'a 1 t=9 m=0600' }, merged: {} },
    ],
    [
      'a deletion against a tag',
      {
        base: { a: 'a 1' },
        alpha: {},
        beta: { a: 'a 1 tags=x' },
        merged: { a: 'a 1' },
        conflicts: ['delete-edit a:'],
      },
    ],
    [
      'a deletion against a move',
      {
        base: { a: 'a 1' },
        alpha: {},
        beta: { 'd/a': 'a 1' },
        merged: { 'd/a': 'a 1' },
        conflicts: ['delete-edit d/a:'],
      },
    ],
    [
      'a deletion against being carried along',
      {
        base: { 'd/a': 'a 1', 'd/b': 'b 2' },
        alpha: { 'd/b': 'b 2' },
        beta: { 'e/a': 'a 1', 'e/b': 'b 2' },
        merged: { 'e/b': 'b 2' },
      },
    ],
    [
      'two edits',
      {
        base: { 'a.txt': 'a 1' },
        alpha: { 'a.txt': 'a 2 t=20' },
        beta: { 'a.txt': 'a 3 t=10' },
        merged: { 'a (conflict beta 1970-01-01).txt': 'new 3', 'a.txt': 'a 2' },
        conflicts: ['content a.txt: a (conflict beta 1970-01-01).txt'],
      },
    ],
    [
      'two names',
      {
        base: { a: 'a 1' },
        alpha: { b: 'a 1' },
        beta: { c: 'a 1' },
        merged: { c: 'a 1' },
        conflicts: ['rename-rename c:'],
      },
    ],
    [
      'a name and a folder combine',
      {
        base: { 'd/a': 'a 1', 'd/x': 'x 2' },
        alpha: { 'd/b': 'a 1', 'd/x': 'x 2' },
        beta: { 'e/a': 'a 1', 'd/x': 'x 2' },
        merged: { 'd/x': 'x 2', 'e/b': 'a 1' },
      },
    ],
    [
      'additions at one path',
      {
        base: {},
        alpha: { a: 'a 1 t=1' },
        beta: { a: 'b 2 t=2' },
        merged: { a: 'b 2', 'a (conflict alpha 1970-01-01)': 'a 1' },
        conflicts: ['add-add a: a (conflict alpha 1970-01-01)'],
      },
    ],
    [
      'equal additions at one path',
      { base: {}, alpha: { a: 'a 1' }, beta: { a: 'b 1' }, merged: { a: 'a 1' } },
    ],
    [
      'renames to one path',
      {
        base: { a: 'a 1 t=1', b: 'b 2 t=2' },
        alpha: { c: 'a 1 t=1', b: 'b 2 t=2' },
        beta: { a: 'a 1 t=1', c: 'b 2 t=2' },
        merged: { c: 'b 2', 'c (conflict alpha 1970-01-01)': 'a 1' },
        conflicts: ['rename-collision c: c (conflict alpha 1970-01-01)'],
      },
    ],
    [
      'renames of equal contents to one path',
      {
        base: { a: 'a 1', b: 'b 1' },
        alpha: { c: 'a 1', b: 'b 1' },
        beta: { a: 'a 1', c: 'b 1' },
        merged: { c: 'a 1' },
      },
    ],
    [
      'a file against a folder',
      {
        base: {},
        alpha: { 'a/b': 'b 1' },
        beta: { a: 'a 2' },
        merged: { 'a (conflict beta 1970-01-01)': 'a 2', 'a/b': 'b 1' },
        conflicts: ['file-directory a: a (conflict beta 1970-01-01)'],
      },
    ],
    [
      'a file against a link',
      {
        base: {},
        alpha: { a: 'a 1' },
        beta: { a: 'b 2 t=9 link=' },
        merged: { a: 'a 1', 'a (conflict beta 1970-01-01)': 'b 2' },
        conflicts: ['type a: a (conflict beta 1970-01-01)'],
      },
    ],
    [
      'a folder renamed against an addition',
      {
        base: { 'd/a': 'a 1' },
        alpha: { 'e/a': 'a 1' },
        beta: { 'd/a': 'a 1', 'd/b': 'b 2', 'd/s/c': 'c 3' },
        merged: { 'e/a': 'a 1', 'e/b': 'b 2', 'e/s/c': 'c 3' },
      },
    ],
    [
      'unrelated histories: the union',
      {
        base: {},
        alpha: { 'd/a': 'a 1', 'd/b': 'b 2', 'x/c': 'c 3', e: 'e 5 t=1' },
        beta: { 'd/a': 'f 1 tags=t', 'd/g': 'g 4', 'y/c': 'h 3', e: 'i 6 t=2' },
        merged: {
          'd/a': 'a 1',
          'd/b': 'b 2',
          'd/g': 'g 4',
          e: 'i 6',
          'e (conflict alpha 1970-01-01)': 'e 5',
          'x/c': 'c 3',
          'y/c': 'h 3',
        },
        conflicts: ['add-add e: e (conflict alpha 1970-01-01)'],
      },
    ],
    [
      'a file that became a folder, and its edit',
      {
        base: { f: 'f 1' },
        alpha: { 'f/n': 'n 2' },
        beta: { f: 'f 3' },
        merged: { 'f (conflict beta 1970-01-01)': 'f 3', 'f/n': 'n 2' },
        conflicts: ['file-directory f: f (conflict beta 1970-01-01)'],
      },
    ],
    [
      'a file that became a link, and its edit',
      {
        base: { f: 'f 1' },
        alpha: { f: 'f 2 t=9 link=' },
        beta: { f: 'f 3' },
        merged: { f: 'f 3', 'f (conflict alpha 1970-01-01)': 'new 2' },
        conflicts: ['type f: f (conflict alpha 1970-01-01)'],
      },
    ],
    [
      'swapped files, and edits of both',
      {
        base: { a: 'a 1', b: 'b 2' },
        alpha: { a: 'b 2', b: 'a 1' },
        beta: { a: 'a 3', b: 'b 4' },
        merged: { a: 'b 4', b: 'a 3' },
      },
    ],
    [
      'a name that a conflict wants is taken by a file of one side',
      {
        base: { a: 'a 1' },
        alpha: { a: 'a 2 t=1' },
        beta: { a: 'a 3 t=2', 'a (conflict alpha 1970-01-01)': 'n 4' },
        merged: {
          a: 'a 3',
          'a (conflict alpha 1970-01-01)': 'n 4',
          'a (conflict alpha 1970-01-01) 2': 'new 2',
        },
        conflicts: ['content a: a (conflict alpha 1970-01-01) 2'],
      },
    ],
    [
      'a conflict copy that conflicts again starts from its original stem',
      {
        base: { 'a (conflict nas 2020-01-01).txt': 'a 1' },
        alpha: { 'a (conflict nas 2020-01-01).txt': 'a 2 t=1' },
        beta: { 'a (conflict nas 2020-01-01).txt': 'a 3 t=2' },
        merged: { 'a (conflict alpha 1970-01-01).txt': 'new 2', 'a (conflict nas 2020-01-01).txt': 'a 3' },
        conflicts: ['content a (conflict nas 2020-01-01).txt: a (conflict alpha 1970-01-01).txt'],
      },
    ],
    [
      'three files that want one path, two of them equal',
      {
        base: { 'd/x': 'x 1' },
        alpha: { 'e/x': 'x 1', 'e/n': 'a 2 t=5' },
        beta: { 'd/x': 'x 1', 'd/n': 'b 2 t=6', 'e/n': 'c 3 t=9' },
        merged: { 'e/n': 'c 3', 'e/n (conflict beta 1970-01-01)': 'a 2', 'e/x': 'x 1' },
        conflicts: ['add-add e/n: e/n (conflict beta 1970-01-01)'],
      },
    ],
  ])('%s', (_name, one) => check(one));
});
