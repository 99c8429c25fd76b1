import { describe, test } from 'vitest';
import { type Case, check } from './table.fixture.ts';

describe('folders', () => {
  test.each<[string, Case]>([
    [
      'an outer rename and an inner one combine',
      {
        base: { 'a/b/x': 'x 1', 'a/y': 'y 2' },
        alpha: { 'c/b/x': 'x 1', 'c/y': 'y 2', 'c/b/n': 'n 3' },
        beta: { 'a/d/x': 'x 1', 'a/y': 'y 2', 'a/d/m': 'm 4' },
        merged: { 'c/d/m': 'm 4', 'c/d/n': 'n 3', 'c/d/x': 'x 1', 'c/y': 'y 2' },
      },
    ],
    [
      'trailing names speak for the folders above',
      {
        base: { 'a/b/c/x': 'x 1' },
        alpha: { 'z/b/c/x': 'x 1' },
        beta: { 'a/b/c/x': 'x 1', 'a/n': 'n 2', 'a/b/m': 'm 3' },
        merged: { 'z/b/c/x': 'x 1', 'z/b/m': 'm 3', 'z/n': 'n 2' },
      },
    ],
    [
      'an explicit move beats being carried',
      {
        base: { 'd/a': 'a 1', 'd/b': 'b 2' },
        alpha: { 'e/a': 'a 1', 'e/b': 'b 2' },
        beta: { 'f/a': 'a 1', 'd/b': 'b 2' },
        merged: { 'e/b': 'b 2', 'f/a': 'a 1' },
      },
    ],
    [
      'most objects decide where a folder went',
      {
        base: { 'd/a': 'a 1', 'd/b': 'b 2', 'd/c': 'c 3' },
        alpha: { 'e/a': 'a 1', 'e/b': 'b 2', 'f/c': 'c 3' },
        beta: { 'd/a': 'a 1', 'd/b': 'b 2', 'd/c': 'c 3', 'd/n': 'n 4' },
        merged: { 'e/a': 'a 1', 'e/b': 'b 2', 'e/n': 'n 4', 'f/c': 'c 3' },
      },
    ],
    [
      'a tie is a split, and additions stay',
      {
        base: { 'd/a': 'a 1', 'd/b': 'b 2' },
        alpha: { 'e/a': 'a 1', 'f/b': 'b 2' },
        beta: { 'd/a': 'a 1', 'd/b': 'b 2', 'd/n': 'n 3', 'd/s/m': 'm 4' },
        merged: { 'd/n': 'n 3', 'd/s/m': 'm 4', 'e/a': 'a 1', 'f/b': 'b 2' },
        conflicts: ['directory-rename-split d/n:', 'directory-rename-split d/s/m:'],
      },
    ],
    [
      'a tie without additions is nothing to tell',
      {
        base: { 'd/a': 'a 1', 'd/b': 'b 2' },
        alpha: { 'e/a': 'a 1', 'f/b': 'b 2' },
        beta: { 'd/a': 'a 3', 'd/b': 'b 2' },
        merged: { 'e/a': 'a 3', 'f/b': 'b 2' },
      },
    ],
    [
      'a folder that keeps an object was not renamed',
      {
        base: { 'd/a': 'a 1', 'd/b': 'b 2' },
        alpha: { 'e/a': 'a 1', 'd/b': 'b 2' },
        beta: { 'd/a': 'a 1', 'd/b': 'b 2', 'd/n': 'n 3' },
        merged: { 'd/b': 'b 2', 'd/n': 'n 3', 'e/a': 'a 1' },
      },
    ],
    [
      'an emptied folder that got other files is still itself',
      {
        base: { 'inbox/a': 'a 1', 'inbox/b': 'b 2' },
        alpha: { 'old/a': 'a 1', 'old/b': 'b 2', 'inbox/c': 'c 3' },
        beta: { 'inbox/a': 'a 1', 'inbox/b': 'b 2', 'inbox/n': 'n 4' },
        merged: { 'inbox/c': 'c 3', 'inbox/n': 'n 4', 'old/a': 'a 1', 'old/b': 'b 2' },
      },
    ],
    [
      'swapped folders are known by their objects',
      {
        base: { 'a/x': 'x 1', 'b/y': 'y 2', 'b/s/z': 'z 3' },
        alpha: { 'b/x': 'x 1', 'a/y': 'y 2', 'a/s/z': 'z 3' },
        beta: { 'a/x': 'x 1', 'a/n': 'n 4', 'b/y': 'y 5', 'b/s/z': 'z 3', 'b/s/m': 'm 6' },
        merged: { 'a/s/m': 'm 6', 'a/s/z': 'z 3', 'a/y': 'y 5', 'b/n': 'n 4', 'b/x': 'x 1' },
      },
    ],
    [
      'three folders in a circle',
      {
        base: { 'a/x': 'x 1', 'b/y': 'y 2', 'c/z': 'z 3' },
        alpha: { 'b/x': 'x 1', 'c/y': 'y 2', 'a/z': 'z 3' },
        beta: { 'a/x': 'x 1', 'a/n': 'n 4', 'b/y': 'y 2', 'b/m': 'm 5', 'c/z': 'z 3' },
        merged: { 'a/z': 'z 3', 'b/n': 'n 4', 'b/x': 'x 1', 'c/m': 'm 5', 'c/y': 'y 2' },
      },
    ],
    [
      'a folder went into one that the other side renamed',
      {
        base: { 'a/x': 'x 1', 'c/y': 'y 2' },
        alpha: { 'c/x': 'x 1', 'c/y': 'y 2' },
        beta: { 'a/x': 'x 1', 'd/y': 'y 2' },
        merged: { 'd/x': 'x 1', 'd/y': 'y 2' },
      },
    ],
    [
      'one step: additions do not follow into a folder that their own side renamed',
      {
        base: { 'a/x': 'x 1', 'c/y': 'y 2' },
        alpha: { 'c/x': 'x 1', 'c/y': 'y 2' },
        beta: { 'a/x': 'x 1', 'a/n': 'n 3', 'd/y': 'y 2' },
        merged: { 'a/n': 'n 3', 'd/x': 'x 1', 'd/y': 'y 2' },
      },
    ],
    [
      'a folder went into another, and additions follow',
      {
        base: { 'a/x': 'x 1', 'a/s/z': 'z 4', 'c/y': 'y 2' },
        alpha: { 'c/x': 'x 1', 'c/s/z': 'z 4', 'c/y': 'y 2' },
        beta: { 'a/x': 'x 1', 'a/n': 'n 3', 'a/s/z': 'z 4', 'a/s/m': 'm 5', 'c/y': 'y 2' },
        merged: { 'c/n': 'n 3', 'c/s/m': 'm 5', 'c/s/z': 'z 4', 'c/x': 'x 1', 'c/y': 'y 2' },
      },
    ],
    [
      'an explicit move beats being carried into a folder that was there',
      {
        base: { 'a/x': 'x 1', 'a/z': 'z 3', 'c/y': 'y 2' },
        alpha: { 'c/x': 'x 1', 'c/z': 'z 3', 'c/y': 'y 2' },
        beta: { 'f/x': 'x 1', 'a/z': 'z 3', 'c/y': 'y 2' },
        merged: { 'c/y': 'y 2', 'c/z': 'z 3', 'f/x': 'x 1' },
      },
    ],
    [
      'a deletion against being carried into a folder that was there',
      {
        base: { 'a/x': 'x 1', 'a/z': 'z 3', 'c/y': 'y 2' },
        alpha: { 'c/x': 'x 1', 'c/z': 'z 3', 'c/y': 'y 2' },
        beta: { 'a/z': 'z 3', 'c/y': 'y 2' },
        merged: { 'c/y': 'y 2', 'c/z': 'z 3' },
      },
    ],
    [
      'a folder went into another one, and on the other side got a name of its own',
      {
        base: { 'a/x': 'x 1', 'c/y': 'y 2' },
        alpha: { 'c/x': 'x 1', 'c/y': 'y 2' },
        beta: { 'g/x': 'x 1', 'g/n': 'n 3', 'c/y': 'y 2' },
        merged: { 'c/y': 'y 2', 'g/n': 'n 3', 'g/x': 'x 1' },
        conflicts: ['rename-rename g:'],
      },
    ],
    [
      'a folder got a name of its own, and on the other side went into another one',
      {
        base: { 'a/x': 'x 1', 'c/y': 'y 2' },
        alpha: { 'g/x': 'x 1', 'g/n': 'n 3', 'c/y': 'y 2' },
        beta: { 'c/x': 'x 1', 'c/y': 'y 2' },
        merged: { 'c/n': 'n 3', 'c/x': 'x 1', 'c/y': 'y 2' },
        conflicts: ['rename-rename c:'],
      },
    ],
    [
      'a folder that went up into the root',
      {
        base: { 'a/x': 'x 1', y: 'y 2' },
        alpha: { x: 'x 1', y: 'y 2' },
        beta: { 'a/x': 'x 3', 'a/n': 'n 4', y: 'y 2' },
        merged: { n: 'n 4', x: 'x 3', y: 'y 2' },
      },
    ],
    [
      'one folder, two names',
      {
        base: { 'a/x': 'x 1' },
        alpha: { 'b/x': 'x 1', 'b/n': 'n 2' },
        beta: { 'c/x': 'x 1', 'c/m': 'm 3' },
        merged: { 'c/m': 'm 3', 'c/n': 'n 2', 'c/x': 'x 1' },
        conflicts: ['rename-rename c:'],
      },
    ],
    [
      'each folder into the other: the older move is undone',
      {
        base: { 'a/x': 'x 1', 'b/y': 'y 2' },
        alpha: { 'b/a/x': 'x 1', 'b/y': 'y 2' },
        beta: { 'a/x': 'x 1', 'a/b/y': 'y 2' },
        merged: { 'a/b/y': 'y 2', 'a/x': 'x 1' },
        conflicts: ['rename-rename a:'],
      },
    ],
    [
      'what is carried along does not overwrite what nobody touched',
      {
        base: { 'a/x': 'x 1', 'c/y': 'y 2', 'c/n': 'o 7' },
        alpha: { 'c/x': 'x 1', 'c/y': 'y 2', 'c/n': 'o 7' },
        beta: { 'a/x': 'x 1', 'a/n': 'n 3 t=9', 'c/y': 'y 2', 'c/n': 'o 7' },
        merged: { 'c/n': 'o 7', 'c/n (conflict beta 1970-01-01)': 'n 3', 'c/x': 'x 1', 'c/y': 'y 2' },
        conflicts: ['rename-collision c/n: c/n (conflict beta 1970-01-01)'],
      },
    ],
    [
      'what is carried along to an equal content that nobody touched is one with it',
      {
        base: { 'a/x': 'x 1', 'c/y': 'y 2', 'c/n': 'o 7' },
        alpha: { 'c/x': 'x 1', 'c/y': 'y 2', 'c/n': 'o 7' },
        beta: { 'a/x': 'x 1', 'a/n': 'n 7', 'c/y': 'y 2', 'c/n': 'o 7' },
        merged: { 'c/n': 'n 7', 'c/x': 'x 1', 'c/y': 'y 2' },
      },
    ],
    [
      'a new folder is not carried along to where a file is that nobody touched',
      {
        base: { 'a/x': 'x 1', 'c/y': 'y 2', 'c/n': 'o 7' },
        alpha: { 'c/x': 'x 1', 'c/y': 'y 2', 'c/n': 'o 7' },
        beta: { 'a/x': 'x 1', 'a/n/m': 'm 3', 'c/y': 'y 2', 'c/n': 'o 7' },
        merged: { 'a/n/m': 'm 3', 'c/n': 'o 7', 'c/x': 'x 1', 'c/y': 'y 2' },
      },
    ],
    [
      'an empty folder is known by its record',
      {
        base: { 'a/': 'a' },
        alpha: { 'b/': 'a' },
        beta: { 'a/n': 'n 1' },
        merged: { 'b/n': 'n 1' },
      },
    ],
    [
      'mode and attributes of a folder, and its move',
      {
        base: { 'a/': 'a m=0700', 'a/x': 'x 1' },
        alpha: { 'b/': 'a m=0700 tags=t', 'b/x': 'x 1' },
        beta: { 'a/': 'a m=0750', 'a/x': 'x 1' },
        merged: { 'b/': 'a', 'b/x': 'x 1' },
      },
    ],
    [
      'an empty folder is deleted, also if the other side changed its mode',
      { base: { 'a/': 'a' }, alpha: {}, beta: { 'a/': 'a m=0700' }, merged: {} },
    ],
    [
      'a folder is deleted, also if the other side only gave it a mode or emptied it',
      {
        base: { 'a/d/x': 'x 1', 'b/y': 'y 2', 'c/z': 'z 3' },
        alpha: {
          'a/': 'a m=0700',
          'a/d/': 'd m=0700',
          'a/d/x': 'x 1',
          'b/': 'b',
          'c/': 'c m=0700',
          'c/z': 'z 4',
        },
        beta: {},
        merged: { 'c/': 'c', 'c/z': 'z 4' },
        conflicts: ['delete-edit c/z:'],
      },
    ],
    [
      'a folder that one side emptied and the other filled has no need of a record',
      {
        base: { 'a/x': 'x 1', 'b/': 'b' },
        alpha: { 'a/': 'a', 'b/n': 'n 2' },
        beta: { 'a/x': 'x 1', 'a/y': 'y 3', 'b/': 'b', 'b/m': 'm 4' },
        merged: { 'a/y': 'y 3', 'b/m': 'm 4', 'b/n': 'n 2' },
      },
    ],
    [
      'a deleted folder of which the other side said something',
      {
        base: { 'a/': 'a' },
        alpha: {},
        beta: { 'a/': 'a title=T' },
        merged: { 'a/': 'a' },
        conflicts: ['delete-edit a:'],
      },
    ],
    [
      'both made the folder',
      {
        base: {},
        alpha: { 'a/': 'a m=0700 tags=x', 'a/x': 'x 1' },
        beta: { 'a/': 'b m=0700 tags=y', 'a/y': 'y 2' },
        merged: { 'a/': 'a', 'a/x': 'x 1', 'a/y': 'y 2' },
      },
    ],
  ])('%s', (_name, one) => check(one));
});
