import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import {
  addToSubset,
  BkError,
  EVERYTHING,
  encodeName,
  encodePattern,
  everywherePattern,
  type FsName,
  formatSubset,
  isEverything,
  parsePattern,
  parseSubset,
  patternText,
  type RepoPath,
  removeFromSubset,
  selectorOf,
  subsetHash,
} from './index.ts';
import { bytes } from './name.fixture.ts';

const p = (text: string) => text as RepoPath;
const errorOf = (work: () => unknown): { code: string; message: string; hint: string | undefined } => {
  try {
    work();
  } catch (error) {
    if (!(error instanceof BkError)) throw error;
    return { code: error.code, message: error.message, hint: error.hint };
  }
  return { code: 'none', message: '', hint: undefined };
};

describe('patterns that are refused (P11)', () => {
  test.each([
    ['', 'refused', 'it is empty'],
    ['../x', 'refused', 'it has ".." in it'],
    ['a/../b', 'refused', 'it has ".." in it'],
    ['a/..', 'refused', 'it has ".." in it'],
    ['\\.\\.', 'refused', 'it has ".." in it'],
    ['%2E%2E/x', 'refused', 'it has ".." in it'],
    ['/etc', 'refused', 'it starts with "/"'],
    ['/', 'refused', 'it starts with "/"'],
    ['.bk', 'refused', 'bk keeps ".bk" for itself'],
    ['.bk/history', 'refused', 'bk keeps ".bk" for itself'],
    ['a/.BK/b', 'refused', 'bk keeps ".bk" for itself'],
    ['.bk/', 'refused', 'bk keeps ".bk" for itself'],
    ['.bk. .', 'refused', 'bk keeps ".bk" for itself'],
    ['BK~1', 'refused', 'bk keeps ".bk" for itself'],
    ['.b\u200ck', 'refused', 'bk keeps ".bk" for itself'],
    ['\uff0ebk', 'refused', 'bk keeps ".bk" for itself'],
    ['.b\\k', 'refused', 'bk keeps ".bk" for itself'],
    ['%2Ebk', 'refused', 'bk keeps ".bk" for itself'],
    ['.bk::$INDEX_ALLOCATION', 'refused', 'bk keeps ".bk" for itself'],
    ['a//b', 'usage', 'it has an empty name'],
    ['a//', 'usage', 'it has an empty name'],
    ['./a', 'usage', 'it has "." in it'],
    ['.', 'usage', 'it has "." in it'],
    ['!a', 'usage', 'it starts with "!"'],
    ['a[b', 'usage', '"[" has no "]"'],
    ['[]', 'usage', '"[" has no "]"'],
    ['[', 'usage', '"[" has no "]"'],
    ['[a/b]', 'usage', '"[" has no "]"'],
    ['[z-a]', 'usage', 'a range in "[…]" runs backwards'],
    ['[[:alpha:]]', 'usage', 'classes like [:alpha:] are not known here'],
    ['a\\', 'usage', 'it ends in "\\"'],
    ['100%', 'usage', '"%" is not followed by two digits 0-9 A-F'],
    ['%2f', 'usage', '"%" is not followed by two digits 0-9 A-F'],
    ['a%2Fb', 'usage', 'no name has "/" or NUL in it'],
    ['a%00', 'usage', 'no name has "/" or NUL in it'],
    ['a\ud800', 'usage', 'half a surrogate pair is not text'],
    ['a'.repeat(5000), 'usage', 'it is longer than 4096 characters'],
  ])('%j: %s', (pattern, code, why) => {
    const failure = errorOf(() => parseSubset([pattern], []));
    expect(failure).toMatchObject({ code, message: expect.stringContaining(why) });
    expect(failure.message).toMatch(/^cannot use the pattern "/);
    expect(errorOf(() => parseSubset([], ['fine', pattern]))).toEqual(failure);
  });

  test.each([
    '.bkignore',
    '.bkup',
    'a.bk',
    '..a',
    '...',
    '.git',
    '*',
    '**',
    'a b ',
    '#a',
    '[]a]',
    '[!]]',
    '[a-]',
  ])('%j is a pattern', (pattern) =>
    expect(parseSubset([pattern], [pattern])).toEqual({ include: [pattern], exclude: [pattern] }),
  );
});

describe('what patterns match', () => {
  test.each<[string, string[], string[]]>([
    [
      'Pictures',
      ['Pictures', 'Pictures/a', 'Pictures/2019/b.jpg'],
      ['pictures', 'Old/Pictures/a', 'Pictures2'],
    ],
    ['Pictures/2019', ['Pictures/2019/a'], ['Pictures/a', 'Pictures/2019a', '2019']],
    ['*.jpg', ['a.jpg', '.jpg', 'album.jpg/a'], ['a/b.jpg', 'a.jpgx']],
    ['**/*.jpg', ['a.jpg', 'a/b/c.jpg'], ['a.jpeg']],
    ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z/d'], ['z', 'a/b']],
    ['a/**', ['a/b', 'a/b/c'], ['a', 'b']],
    ['a/*', ['a/b', 'a/b/c'], ['a', 'b/c']],
    ['a**c', ['abc', 'ac', 'abbc'], ['a/c']],
    ['a?c', ['abc', 'aéc', 'a😀c', 'a%c'.replace('%', '%25')], ['ac', 'abbc', 'a/c']],
    ['?', ['%FF', '%5C', '%25'], ['ab']],
    ['[a-c]x', ['ax', 'cx'], ['dx', 'x']],
    ['[!a-c]x', ['dx', 'éx'], ['ax']],
    ['[]a]', [']', 'a'], ['b']],
    ['[a-]', ['-', 'a'], ['b']],
    ['\\*', ['*'], ['a']],
    ['a\\\\b', ['a%5Cb'], ['ab']],
    ['100%25', ['100%25'], ['100']],
    ['%FFa', ['%FFa'], ['ÿa']],
    ['%C3%A9', ['é'], []],
    ['.git', ['%2Egit', '%2Egit/HEAD'], ['.github']],
    ['.git*', ['%2Egit', '.gitignore', '%2Egitmodules'], ['git']],
    ['\\!a', ['!a'], ['a']],
    ['build/', ['build/a'], ['build', 'a/build/b']],
  ])('%j', (pattern, inside, outside) => {
    const { wants } = selectorOf(parseSubset([pattern], []));
    expect(inside.filter((file) => !wants(p(file)))).toEqual([]);
    expect(outside.filter((file) => wants(p(file)))).toEqual([]);
  });

  test('a trailing slash wants a folder', () => {
    const { wants } = selectorOf(parseSubset(['build/'], []));
    expect([wants(p('build'), true), wants(p('build'), false)]).toEqual([true, false]);
  });

  test('any name at all is matched by its own encoding, escaped, and by *', () => {
    const name = fc
      .string({
        unit: fc.constantFrom('a', '.', 'git', '%', '*', '[', '\\', '\xff', '\xc3\xa9', '~1', '\n'),
        minLength: 1,
      })
      .filter((text) => text !== '.' && text !== '..');
    fc.assert(
      fc.property(name, (raw) => {
        const encoded = encodeName(raw as FsName);
        const literal = encoded.replace(/[*?[\\!]/g, '\\$&');
        const one = selectorOf(parseSubset([literal, 'other'], []));
        expect(one.wants(p(encoded))).toBe(true);
        expect(selectorOf(parseSubset([`${literal}?`], [])).wants(p(encoded))).toBe(false);
        expect(selectorOf(parseSubset([`*${literal}*`], [])).wants(p(encoded))).toBe(true);
        expect(selectorOf(parseSubset(['*'], [])).wants(p(encoded))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('a hostile pattern takes no time', () => {
    const { wants } = selectorOf(parseSubset([`${'*a'.repeat(2000)}b`, `${'**/a/'.repeat(600)}b`], []));
    const started = performance.now();
    expect(wants(p('a'.repeat(255)))).toBe(false);
    expect(wants(p(`${'a/'.repeat(300)}a`))).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe.skipIf(!has('git'))('git check-ignore as an oracle', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-subset-'));
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

  test('patterns rooted at the top match as in .gitignore', () => {
    execFileSync('git', ['init', '-q', folder]);
    const names = ['a', 'b', 'ab', 'ba', 'abc', 'c.a', '[a]'];
    const paths = names.flatMap((x) => [
      x,
      ...names.flatMap((y) => [`${x}/${y}`, `${x}/${y}/a`, `${x}/b/${y}/ab`]),
    ]);
    const piece = fc.constantFrom('a', 'b', '*', '?', '[ab]', '[!a]', '[a-c]', '.', '\\a', '\\[');
    const name = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.array(piece, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('')),
      },
      { weight: 1, arbitrary: fc.constant('**') },
    );
    const pattern = fc.tuple(fc.array(name, { minLength: 1, maxLength: 3 }), fc.boolean());
    let matched = 0;
    for (const [parts, slash] of fc.sample(pattern, { numRuns: 150, seed: 3 })) {
      const text = `${parts.join('/')}${slash ? '/' : ''}`;
      if (errorOf(() => parsePattern(text)).code !== 'none') continue;
      const ignored = ignoredBy(folder, text, paths);
      const { wants } = selectorOf(parseSubset([text], []));
      expect(
        paths.filter((file) => wants(p(file))),
        text,
      ).toEqual(ignored);
      matched += ignored.length;
    }
    expect(matched).toBeGreaterThan(1000);
  });
});

describe('a subset', () => {
  test('is kept as given', () => {
    const given = parseSubset(['b/', 'a', 'b/'], ['**/*.tmp']);
    expect(given).toEqual({ include: ['b/', 'a'], exclude: ['**/*.tmp'] });
    expect(formatSubset(given)).toBe(
      '{\n "exclude": [\n  "**/*.tmp"\n ],\n "include": [\n  "b/",\n  "a"\n ],\n "v": 1\n}\n',
    );
    expect(isEverything(given)).toBe(false);
    expect(isEverything(EVERYTHING)).toBe(true);
  });

  test('has a hash that never changes, of patterns in their order (P07)', () => {
    expect(subsetHash(EVERYTHING)).toBe('fa391d664c6fbebe63351465e60b238035eccdf12888208d0dea083ebec6b1fa');
    expect(subsetHash(parseSubset(['a', 'b'], []))).not.toBe(subsetHash(parseSubset(['b', 'a'], [])));
    expect(subsetHash(parseSubset([], ['a']))).not.toBe(subsetHash(parseSubset(['a'], [])));
  });

  test.skipIf(!has('b3sum'))('has the hash that b3sum gives its text', () => {
    for (const subset of [EVERYTHING, parseSubset(['Bilder/Fotos é', '%FF'], ['**/*.tmp'])])
      expect(subsetHash(subset)).toBe(
        execFileSync('b3sum', ['--no-names'], { input: formatSubset(subset), encoding: 'utf8' }).trim(),
      );
  });

  test('adding widens', () => {
    const start = parseSubset(['a'], ['a/x']);
    expect(addToSubset(start, ['b', 'a'])).toEqual({ include: ['a', 'b'], exclude: ['a/x'] });
    expect(errorOf(() => addToSubset(EVERYTHING, ['a']))).toMatchObject({
      code: 'usage',
      hint: expect.stringContaining('subset set'),
    });
    expect(errorOf(() => addToSubset(start, ['..'])).code).toBe('refused');
  });

  test('removing never means everything by accident', () => {
    const start = parseSubset(['a', 'b'], ['a/x']);
    expect(removeFromSubset(start, ['b', 'a/x'])).toEqual({ include: ['a'], exclude: [] });
    expect(errorOf(() => removeFromSubset(start, ['a', 'b'])).code).toBe('usage');
    expect(errorOf(() => removeFromSubset(start, ['c'])).message).toContain('no such pattern');
    expect(removeFromSubset(parseSubset([], ['a']), ['a'])).toEqual(EVERYTHING);
  });

  test.each(['100% sure', 'a\tb', 'plain/*', 'é', '%41'])('what was typed comes back: %j', (typed) => {
    const stored = encodePattern(typed);
    expect(patternText(stored)).toEqual({ text: typed, encoded: false });
    expect(errorOf(() => parsePattern(stored)).code).toBe('none');
  });

  test.each([
    ['*.raf', '**/*.raf'],
    ['raw/', '**/raw/'],
    ['**', undefined],
    ['**/*.raf', undefined],
    ['a/*.raf', undefined],
  ])('what %j would be everywhere: %j', (pattern, everywhere) => {
    expect(everywherePattern(pattern)).toBe(everywhere);
  });

  test('a pattern that nobody can type is shown as it is stored', () => {
    expect(patternText('%FFa*')).toEqual({ text: '%FFa*', encoded: true });
    expect(selectorOf(parseSubset(['%FFa*'], [])).wants(p(encodeName('\xffab' as FsName)))).toBe(true);
    expect(encodeName(bytes('é'))).toBe('é');
  });
});

function ignoredBy(folder: string, pattern: string, paths: readonly string[]): string[] {
  fs.writeFileSync(path.join(folder, '.gitignore'), `/${pattern}\n`);
  try {
    const found = execFileSync('git', ['check-ignore', '--no-index', '--stdin', '-z'], {
      cwd: folder,
      input: paths.join('\0'),
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    return found.split('\0').filter((line) => line !== '');
  } catch (error) {
    if ((error as { status?: number }).status === 1) return [];
    throw error;
  }
}

function has(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn(`skipped: ${program} is not installed, so there is nothing to compare with`);
    return false;
  }
}
