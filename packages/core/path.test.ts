import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareNames,
  compareTreeNames,
  type EncodedName,
  isInside,
  joinPath,
  nameOf,
  parentOf,
  type RepoPath,
  ROOT,
} from './index.ts';

const p = (text: string) => text as RepoPath;

describe('paths', () => {
  test.each([
    ['', '', ''],
    ['a', '', 'a'],
    ['a/b', 'a', 'b'],
    ['a/b/c d', 'a/b', 'c d'],
  ])('parent and name of %j', (path, parent, name) => {
    expect(parentOf(p(path))).toBe(parent);
    expect(nameOf(p(path))).toBe(name);
    if (path !== '') expect(joinPath(p(parent), name as EncodedName)).toBe(path);
  });

  test.each([
    ['a', '', true],
    ['', '', true],
    ['a', 'a', true],
    ['a/b', 'a', true],
    ['ab', 'a', false],
    ['a', 'a/b', false],
    ['', 'a', false],
  ])('%j inside %j: %j', (path, folder, inside) => {
    expect(isInside(p(path), p(folder))).toBe(inside);
  });

  test('the root is empty', () => expect(ROOT).toBe(''));
});

describe('order', () => {
  const text = fc.string({
    unit: fc.constantFrom(
      'a',
      'b',
      '/',
      '-',
      '0',
      'é',
      '\uffee',
      '\ue000',
      '\u{1f600}',
      '\u{10ffff}',
      '\ud7ff',
    ),
  });
  const sign = (n: number) => Math.sign(n) + 0;

  test('compareNames is the order of the UTF-8 bytes', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(sign(compareNames(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 2000 },
    );
  });

  test('compareTreeNames is the order of the bytes with / after folders', () => {
    fc.assert(
      fc.property(text, fc.boolean(), text, fc.boolean(), (x, xFolder, y, yFolder) => {
        const a = x.replaceAll('/', '');
        const b = y.replaceAll('/', '');
        const expected = Buffer.compare(
          Buffer.from(xFolder ? `${a}/` : a),
          Buffer.from(yFolder ? `${b}/` : b),
        );
        expect(sign(compareTreeNames(a, xFolder, b, yFolder))).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});
