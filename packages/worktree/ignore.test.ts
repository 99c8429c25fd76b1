import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { FsPath } from '@bk/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { IgnoreRules } from './ignore.ts';

let root = '';
beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-ignore-'));
});
/** Not by Node, whose recursive removal fails at names that are no UTF-8. */
afterEach(() => void execFileSync('rm', ['-rf', root]));

/** Byte strings all through: names and patterns may be no UTF-8. */
const buffer = (text: string) => Buffer.from(text, 'latin1');
const at = (name: string) => buffer(`${root}/${name}`);

function write(name: string, content: string): void {
  const slash = name.lastIndexOf('/');
  if (slash > 0) fs.mkdirSync(at(name.slice(0, slash)), { recursive: true });
  fs.writeFileSync(at(name), buffer(content));
}

describe('.bkignore', () => {
  test('excludes nothing where there is none', () => {
    write('a/b', '');
    expect(new IgnoreRules(root).ignores('a/b' as FsPath, false)).toBe(false);
  });

  test('holds in its folder and below, deeper files later, and never inside an excluded folder', () => {
    write('.bkignore', '# comment\n*.tmp\n/cache/\nsub/x/\n');
    write('sub/.bkignore', '!keep.tmp\n!x/\n/only\n');
    write('cache/.bkignore', '!*\n');
    const rules = new IgnoreRules(root);
    const ignored = (name: string) => rules.ignores(name.replace(/\/$/, '') as FsPath, name.endsWith('/'));
    expect(['a.tmp', 'sub/b.tmp', 'cache/', 'cache/f', 'sub/only', 'sub/d/e/f.tmp'].map(ignored)).toEqual(
      Array(6).fill(true),
    );
    expect(
      ['a', 'sub/keep.tmp', 'sub/x/', 'sub/x/f', 'sub/d/cache/', 'only', 'sub/d/only', 'cache'].map(ignored),
    ).toEqual(Array(8).fill(false));
  });

  test('a link, a folder or a pipe of that name is no rule', () => {
    write('patterns', '*\n');
    fs.symlinkSync('patterns', at('.bkignore'));
    fs.mkdirSync(at('d/.bkignore'), { recursive: true });
    fs.mkdirSync(at('p'));
    execFileSync('mkfifo', [path.join(root, 'p/.bkignore')]);
    const rules = new IgnoreRules(root);
    for (const name of ['a', 'd/a', 'p/a']) expect(rules.ignores(name as FsPath, false)).toBe(false);
  });

  test('one that cannot be read stops the work', () => {
    write('d/.bkignore', 'x\n');
    const rules = new IgnoreRules(root);
    const original = fs.openSync;
    fs.openSync = () => {
      throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    };
    try {
      expect(() => rules.ignores('d/x' as FsPath, false)).toThrow(
        expect.objectContaining({ code: 'io', path: 'd/.bkignore' }),
      );
    } finally {
      fs.openSync = original;
    }
  });

  test('many paths, and paths beyond the kernel limit', () => {
    write('.bkignore', '*.tmp\n');
    const rules = new IgnoreRules(root);
    for (let i = 0; i < 10_000; i++)
      expect(rules.ignores(`${i}.${i % 2 ? 'tmp' : 'txt'}` as FsPath, false)).toBe(i % 2 === 1);
    const deep = Array(30).fill('d'.repeat(200)).join('/');
    const fd = process.cwd();
    process.chdir(root);
    for (const name of deep.split('/')) {
      fs.mkdirSync(name);
      process.chdir(name);
    }
    fs.writeFileSync('.bkignore', '!a.tmp\n');
    process.chdir(fd);
    const fresh = new IgnoreRules(root);
    expect([
      fresh.ignores(`${deep}/a.tmp` as FsPath, false),
      fresh.ignores(`${deep}/b.tmp` as FsPath, false),
    ]).toEqual([false, true]);
  });
});

/** `git check-ignore` of the same tree with the files named `.gitignore`. */
function gitIgnored(names: readonly string[]): Set<string> {
  const env = { ...process.env, GIT_CONFIG_NOSYSTEM: '1', HOME: root };
  const args = [
    '-c',
    'core.excludesFile=/dev/null',
    '-C',
    root,
    'check-ignore',
    '--no-index',
    '-z',
    '--stdin',
  ];
  const result = spawnSync('git', args, { input: buffer(`${names.join('\0')}\0`), env });
  if (result.status !== 0 && result.status !== 1) throw new Error(result.stderr.toString());
  return new Set(result.stdout.toString('latin1').split('\0').filter(Boolean));
}

const name = fc.constantFrom(
  'a',
  'b',
  'ab',
  'a.c',
  'b b',
  '[x]',
  'x*',
  '!n',
  '#h',
  'c ',
  '\xff\xc3',
  '\xc3\xa9',
  'A',
  'x\\y',
);
const segment = fc.constantFrom(
  'a',
  'b',
  '*',
  '?',
  'a*',
  '*.c',
  '**',
  '[ab]',
  '[!a]',
  '[[]x]',
  '\\[x\\]',
  'x\\*',
  'b\\ b',
  'c\\ ',
  'A',
  '\xff\xc3',
  '??',
  '\xc3\xa9',
  'a?',
  '[a-c]*',
  '\\#h',
  '\\!n',
  '[[:alpha:]]',
  'x\\\\y',
);
const pattern = fc
  .tuple(
    fc.constantFrom('', '', '', '!'),
    fc.constantFrom('', '', '/'),
    fc.array(segment, { minLength: 1, maxLength: 3 }),
    fc.constantFrom('', '', '/', ' ', '/ ', '\r'),
  )
  .map(([negation, anchor, segments, end]) => `${negation}${anchor}${segments.join('/')}${end}`);
const rulesFile = fc
  .array(fc.oneof({ weight: 20, arbitrary: pattern }, fc.constantFrom('', '#a', '/', '!', '\\', ' ')), {
    maxLength: 5,
  })
  .map((lines) => lines.join('\n'));

test('agrees with git check-ignore on random trees and patterns', () => {
  execFileSync('git', ['init', '-q', root]);
  let trees = 0;
  let asked = 0;
  let excluded = 0;
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.array(name, { minLength: 1, maxLength: 3 }), {
        minLength: 3,
        maxLength: 12,
        selector: (names) => names.join('/'),
      }),
      fc.array(rulesFile, { minLength: 1, maxLength: 3 }),
      (relative, files) => {
        const tree = `t${trees++}`;
        const paths = relative.map((names) => [tree, ...names]);
        const folders = [
          ...new Set([
            ...paths.flatMap((names) => names.slice(0, -1).map((_, i) => names.slice(0, i + 1).join('/'))),
          ]),
        ];
        for (const folder of folders) fs.mkdirSync(at(folder), { recursive: true });
        files.forEach((text, i) => {
          const folder = folders[(i * 7) % folders.length] as string;
          for (const file of ['.bkignore', '.gitignore']) write(`${folder}/${file}`, text);
        });
        const all = paths.map((names) => names.join('/'));
        for (const file of all) if (!folders.includes(file)) write(file, '');
        const names = [...new Set([...all, ...folders])];
        const expected = gitIgnored(names);
        const rules = new IgnoreRules(root);
        for (const file of names) {
          asked++;
          if (expected.has(file)) excluded++;
          expect({ file, ignored: rules.ignores(file as FsPath, folders.includes(file)) }).toEqual({
            file,
            ignored: expected.has(file),
          });
        }
      },
    ),
    { numRuns: 300 },
  );
  expect(asked).toBeGreaterThan(1000);
  expect(excluded).toBeGreaterThan(200);
}, 120_000);
