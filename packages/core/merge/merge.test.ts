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
  ])('%s', (_name, one) => check(one));
});
