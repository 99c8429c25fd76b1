import { encodePath, type FsPath } from '@bk/core';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { safe, safeLines, shownPath, styleFor } from './terminal.ts';

const bytes = (text: string) => encodePath(Buffer.from(text).toString('latin1') as FsPath);

describe('what reaches a terminal', () => {
  test.each([
    ['plain ä 漢 😀', 'plain ä 漢 😀'],
    ['a\nb\tc\r', 'a\\nb\\tc\\r'],
    ['\x1b]0;owned\x07', '\\e]0;owned\\x07'],
    ['\x9b31m', '\\x9b31m'],
    ['photo\u202egpj.exe', 'photo\\u202egpj.exe'],
    ['a\u2028b\ufeff', 'a\\u2028b\\ufeff'],
    ['\ud800', '\\ud800'],
  ])('%j is shown as %s', (text, shown) => expect(safe(text)).toBe(shown));

  test('of messages the lines stay', () => {
    expect(safeLines('one\n\x1b[2Jtwo')).toBe('one\n\\e[2Jtwo');
  });

  test.each([
    ['', '.'],
    ['a/b', 'a/b'],
    ['100% done', '100% done'],
    ['a\\b', 'a\\b'],
    ['new\nline/\x1b[31m', 'new\\nline/\\e[31m'],
    ['.git/config', '.git/config'],
    ['ä/漢', 'ä/漢'],
  ])('the path %j is shown as %s', (path, shown) => expect(shownPath(bytes(path))).toBe(shown));

  test('bytes that are no text are shown as such', () => {
    const path = Buffer.from([0x66, 0xff, 0xfe, 0x0a, 0xc3, 0xa4, 0xe2, 0x82]).toString('latin1') as FsPath;
    expect(shownPath(encodePath(path))).toBe('f\\xff\\xfe\\nä\\xe2\\x82');
  });

  test('no path whatever lets a terminal do anything', () => {
    const name = fc
      .uint8Array({ minLength: 1, maxLength: 12 })
      .map((raw) => raw.map((byte) => (byte === 0 || byte === 47 ? 1 : byte)));
    fc.assert(
      fc.property(name, (raw) => {
        const shown = shownPath(encodePath(Buffer.from(raw).toString('latin1') as FsPath));
        expect(shown).not.toMatch(/[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});

describe('colour', () => {
  const before = process.env['NO_COLOR'];
  afterEach(() => {
    if (before === undefined) delete process.env['NO_COLOR'];
    else process.env['NO_COLOR'] = before;
  });

  test('is there when asked for, and not when not', () => {
    process.env['NO_COLOR'] = '1';
    expect(styleFor(1, 'always')('red', 'x')).toBe('\x1b[31mx\x1b[0m');
    expect(styleFor(1, 'never')('red', 'x')).toBe('x');
    expect(styleFor(1, 'auto')('red', 'x')).toBe('x');
  });
});
