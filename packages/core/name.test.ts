import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BkError,
  decodeName,
  decodePath,
  displayText,
  type EncodedName,
  encodedName,
  encodeName,
  encodePath,
  type FsName,
  type FsPath,
  isCanonicalName,
  isReservedName,
  type RepoPath,
  repoPath,
  utf8Bytes,
  utf8Text,
} from './index.ts';
import { bytes, SPECIAL_NAMES } from './name.fixture.ts';

/** Byte strings rich in what the encoding cares about. */
const rawName = fc
  .oneof(
    fc.string({
      unit: fc.integer({ min: 1, max: 255 }).map((byte) => String.fromCharCode(byte)),
      minLength: 1,
      maxLength: 24,
    }),
    fc.string({
      unit: fc.constantFrom(
        '%',
        '2',
        '5',
        'F',
        'f',
        '.',
        'g',
        'i',
        't',
        '~',
        '1',
        '\xc3',
        '\xa9',
        '\xf0\x9f\x98\x80',
        '\xed\xa0\x80',
        '\\',
      ),
      minLength: 1,
      maxLength: 12,
    }),
    fc.constantFrom(...SPECIAL_NAMES.map((name) => bytes(name) as string)),
  )
  .filter((name) => name !== '.' && name !== '..' && !name.includes('/'))
  .map((name) => name as FsName);

describe('encoding of names', () => {
  test.each([
    ['plain name.jpg', 'plain name.jpg'],
    ['100%', '100%25'],
    ['a\\b', 'a%5Cb'],
    ['tab\there\n', 'tab%09here%0A'],
    ['\x7f', '%7F'],
    ['f\xff\xfe\n', 'f%FF%FE%0A'],
    ['\xc3\xa9', 'é'],
    ['e\xcc\x81', 'e\u0301'],
    ['\xc3', '%C3'],
    ['\xe2\x80A', '%E2%80A'],
    ['\xc0\xaf', '%C0%AF'],
    ['\xed\xa0\x80', '%ED%A0%80'],
    ['\xf4\x90\x80\x80', '%F4%90%80%80'],
    ['\xf4\x8f\xbf\xbf', '\u{10ffff}'],
    ['\xef\xbf\xbe', '\ufffe'],
    ['.git', '%2Egit'],
    ['.gitignore', '.gitignore'],
    ['.github', '.github'],
    ['git~1', '%67it~1'],
    ['git~2', 'git~2'],
    ['Git~1', '%47it~1'],
    ['\xe2\x80\x8c.git', '%E2%80%8C.git'],
    ['.git\\x', '.git%5Cx'],
    ['.bkdir', '%2Ebkdir'],
    ['.BkDir', '%2EBkDir'],
    ['.bkdirs', '.bkdirs'],
    ['backup~', 'backup~'],
    ['~1234567', '%7E1234567'],
    ['~123456', '~123456'],
    ['...', '...'],
  ])('%j is spelled %j', (raw, spelled) => {
    expect(encodeName(raw as FsName)).toBe(spelled);
    expect(decodeName(spelled as EncodedName)).toBe(raw);
    expect(isCanonicalName(spelled)).toBe(true);
  });

  test.each([
    '',
    '.',
    '..',
    'a/b',
    '%',
    '%4',
    '%41',
    '%2f',
    '%2F',
    '%00',
    'a\0',
    '%ff',
    '%C3%A9',
    '\\',
    'a\n',
    '\x7f',
    '.git',
    '.GIT ',
    'git~1',
    '.bkdir',
    '.BKDIR',
    '%2Eb',
    '%2Egi',
    '%2EbkdiR%20',
    '\ud800',
    'a\udc00b',
  ])('%j is no spelling of a name', (text) => {
    expect(isCanonicalName(text)).toBe(false);
    expect(() => decodeName(text as EncodedName)).toThrow(BkError);
    expect(() => repoPath(`a/${text}${text === 'a/b' ? '/' : ''}`)).toThrow(BkError);
  });

  test('any name survives, and its spelling is the only one', () => {
    fc.assert(
      fc.property(rawName, (name) => {
        const spelled = encodeName(name);
        expect(decodeName(spelled)).toBe(name);
        expect(Buffer.from(spelled, 'utf8').toString('utf8')).toBe(spelled);
      }),
      { numRuns: 5000 },
    );
  });

  test('a text either is the spelling of its name or is refused', () => {
    const text = fc.oneof(
      rawName.map((name) => utf8Text(name) ?? name),
      rawName.map(encodeName),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        const accepted = isCanonicalName(candidate);
        if (accepted) expect(encodeName(decodeName(candidate as EncodedName))).toBe(candidate);
        else
          expect(() => decodeName(candidate as EncodedName)).toThrow(
            expect.objectContaining({ code: 'damaged' }),
          );
      }),
      { numRuns: 5000 },
    );
  });

  test('paths are encoded name by name', () => {
    fc.assert(
      fc.property(fc.array(rawName, { maxLength: 5 }), (names) => {
        const path = names.join('/') as FsPath;
        expect(encodePath(path)).toBe(names.map(encodeName).join('/'));
        expect(decodePath(encodePath(path))).toBe(path);
      }),
      { numRuns: 2000 },
    );
  });

  test('UTF-8 is decoded exactly as a strict decoder does', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 8 }),
        fc.string({ unit: 'binary', maxLength: 4 }),
        (noise, text) => {
          const raw = Buffer.concat([Buffer.from(text), noise]);
          let expected: string | undefined;
          try {
            expected = strict.decode(raw);
          } catch {
            expected = undefined;
          }
          expect(utf8Text(raw.toString('latin1'))).toBe(expected);
          if (expected !== undefined) expect(utf8Bytes(expected)).toBe(raw.toString('latin1'));
        },
      ),
      { numRuns: 5000 },
    );
  });
});

describe('names bk keeps for itself', () => {
  test.each([
    '.bk',
    '.BK',
    '.Bk',
    '.bk ',
    '.bk.',
    '.bk. .',
    '.bk::$INDEX_ALLOCATION',
    '.bk:x',
    '.bk\\x',
    'BK~1',
    'bk~1',
    'bk~1.',
    '.b\u200ck',
    '\u200d.bk',
    '.bk\ufeff',
    '.b\u00adk',
    '．ｂｋ',
    '.b\u212a',
    '\u2024bk',
    '.bk:\u00ff',
  ])('%j is reserved', (name) => {
    expect(isReservedName(bytes(name))).toBe(true);
    expect(() => repoPath(`a/${encodeName(bytes(name))}/b`)).toThrow(
      expect.objectContaining({ code: 'damaged' }),
    );
  });

  test.each([
    '.bkdir',
    '.bkignore',
    '.bkp',
    'bk',
    'a.bk',
    'bk~2',
    'bk~12',
    '..bk',
    '.b',
    '.b k',
    '\xff.bk',
    '.b\xffk',
    'BK',
    '.bk1',
  ])('%j is not', (name) => {
    expect(isReservedName(name as FsName)).toBe(false);
    expect(encodedName(encodeName(name as FsName))).toBe(encodeName(name as FsName));
  });
});

describe('paths from outside', () => {
  test.each(['', 'a', 'a/b c/%2Egit/config', 'é/😀'])('%j is accepted', (path) => {
    expect(repoPath(path)).toBe(path);
  });
  test.each([
    '/',
    '/a',
    'a/',
    'a//b',
    'a/./b',
    '../a',
    'a/..',
    'a/.bk/config.json',
    'a\0b',
    'a/.git/config',
    'a/%2E%2E/b',
    '%2E',
    'a\\..\\b',
    '.bkdir',
  ])('%j is refused', (path) => {
    expect(() => repoPath(path)).toThrow(expect.objectContaining({ code: 'damaged' }));
  });
});

test.each([
  ['a/b', 'a/b', false],
  ['100%25/%2Egit', '100%/.git', false],
  ['line%0Abreak', 'line\nbreak', false],
  ['é%FF', 'é%FF', true],
  ['100%25/%FF', '100%25/%FF', true],
])('%j is shown as %j', (path, text, encoded) => {
  expect(displayText(path as RepoPath)).toEqual({ text, encoded });
});
