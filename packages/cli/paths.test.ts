import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pathArgument } from './paths.ts';

let root: string;
beforeEach(() => {
  root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'bk-paths-')));
  fs.mkdirSync(path.join(root, 'a', 'ü'), { recursive: true });
});
afterEach(() => fs.rmSync(root, { recursive: true }));

const from = (folder: string, argument: string, encoded = false) =>
  pathArgument(argument, { root, directory: path.join(root, folder), encoded });

describe('a path of the command line', () => {
  test.each([
    ['', '.', ''],
    ['', 'x', 'x'],
    ['', './x//y/', 'x/y'],
    ['a', 'x', 'a/x'],
    ['a', '.', 'a'],
    ['a/ü', '../b', 'a/b'],
    ['a/ü', '../..', ''],
    ['a/ü', 'ö', 'a/ü/ö'],
    ['', '100%', '100%25'],
    ['', 'a\nb', 'a%0Ab'],
    ['', '.git/config', '%2Egit/config'],
    ['', '-x', '-x'],
  ])('in %j: %j is %j', (folder, argument, expected) => expect(from(folder, argument)).toBe(expected));

  test('may be absolute, also through a link', () => {
    expect(from('a', path.join(root, 'b/c'))).toBe('b/c');
    expect(from('a', root)).toBe('');
    const link = `${root}-link`;
    fs.symlinkSync(root, link);
    try {
      expect(from('', path.join(link, 'a/x'))).toBe('a/x');
      expect(from('', link)).toBe('');
    } finally {
      fs.unlinkSync(link);
    }
  });

  test('may have any bytes', () => expect(from('', 'f\udcff/\udc80ä')).toBe('f%FF/%80ä'));

  test.each([
    ['', '..'],
    ['a', '../..'],
    ['a', '../../x'],
    ['', '/etc/passwd'],
    ['', '/'],
    ['', ''],
    ['', '.bk'],
    ['', '.bk/config.json'],
    ['a', '../.BK/x'],
    ['', 'a/.bk '],
  ])('in %j: %j is refused', (folder, argument) => {
    expect(() => from(folder, argument)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test('with --encoded it is spelled as --json shows it', () => {
    expect(from('a', '../f%FF%0A', true)).toBe('f%FF%0A');
    for (const wrong of ['100%', 'a%41', '%2fx', '.git', 'a\\b', '.bk', '%2Ebk']) {
      expect(() => from('', wrong, true), wrong).toThrow(expect.objectContaining({ code: 'usage' }));
    }
  });
});
