import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  compareTreeNames,
  type EncodedName,
  encodeName,
  escapeBytes,
  type FsName,
  utf8Bytes,
} from './index.ts';
import { bytes, SPECIAL_NAMES } from './name.fixture.ts';

/** The oracle is git itself: what its fsck says about trees that hold these names. */
let root = '';
let blob = '';
const git = (args: string[], input?: Buffer | string) =>
  execFileSync('git', ['--git-dir', path.join(root, 'git'), ...args], { input, maxBuffer: 1 << 28 });

beforeAll(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-name-'));
  execFileSync('git', ['init', '-q', '--bare', '--initial-branch=main', path.join(root, 'git')]);
  blob = git(['hash-object', '-w', '--stdin'], '{\n "v": 1\n}\n').toString().trim();
});
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

/** One tree for each name (latin1 bytes), unchecked; gives the ids of fsck's messages for each name. */
function complaints(names: readonly string[], mode: string): string[][] {
  const id = Buffer.from(blob, 'hex');
  const files = names.map((name, i) => {
    const file = path.join(root, `tree${i}`);
    fs.writeFileSync(file, Buffer.concat([Buffer.from(`${mode} ${name}\0`, 'latin1'), id]));
    return file;
  });
  const args = ['hash-object', '-t', 'tree', '-w', '--literally', '--no-filters', '--stdin-paths'];
  const ids = git(args, `${files.join('\n')}\n`)
    .toString()
    .trim()
    .split('\n');
  const fsck = spawnSync('git', ['--git-dir', path.join(root, 'git'), 'fsck', '--strict', '--no-dangling']);
  const said = new Map<string, string[]>();
  for (const line of `${fsck.stdout}${fsck.stderr}`.split('\n')) {
    const found = /in tree ([0-9a-f]{40}): (\w+):/.exec(line);
    if (found) said.set(found[1] as string, [...(said.get(found[1] as string) ?? []), found[2] as string]);
  }
  return ids.map((tree) => said.get(tree) ?? []);
}

/** The messages about names that a record, which is never a link in the tree, could run into. */
const OURS = new Set(['hasDotgit', 'gitmodulesSymlink', 'gitattributesSymlink']);

const mutated = fc
  .tuple(
    fc.constantFrom(
      '.git',
      '.gitmodules',
      '.gitattributes',
      'git~1',
      'gitmod~2',
      'gitatt~4',
      'gi7eba~1',
      'gi7d29~7',
      'gi7e~12',
      'gi~4321',
      '~1234567',
    ),
    fc.array(
      fc.tuple(
        fc.nat(14),
        fc.constantFrom(
          '\u200c',
          '\ufeff',
          '\u206f',
          '.',
          ' ',
          ':',
          'x',
          '~',
          '1',
          '0',
          '\uffff',
          '\ufffe',
          'T',
          '\\',
        ),
      ),
      { maxLength: 3 },
    ),
    fc.boolean(),
    fc.constantFrom('', '', '.', ' ', ' . ', ':a', '::$INDEX_ALLOCATION', '\ufffe', 'x'),
  )
  .map(([base, insertions, upper, end]) => {
    let name = upper ? base.toUpperCase() : base;
    for (const [at, what] of insertions) name = name.slice(0, at) + what + name.slice(at);
    return name + end;
  });

describe('names as git sees them', () => {
  test('bk escapes the first character exactly where git fsck would complain', () => {
    const names = [...new Set([...SPECIAL_NAMES, ...fc.sample(mutated, { numRuns: 3000, seed: 7 })])];
    const texts = names.map((name) => escapeBytes(bytes(name)));
    const said = complaints(texts.map(utf8Bytes), '120000');
    let special = 0;
    texts.forEach((text, i) => {
      const complains = said[i]?.some((message) => OURS.has(message)) ?? false;
      if (complains) special++;
      const escaped = encodeName(bytes(names[i] as string)) !== text;
      expect({ name: names[i], escaped }).toEqual({
        name: names[i],
        escaped: complains || /^\.bkdir$/i.test(text),
      });
    });
    expect(special).toBeGreaterThan(200);
  });

  test('without the rule git complains of every special name', () => {
    const said = complaints(SPECIAL_NAMES.map(bytes), '120000');
    SPECIAL_NAMES.forEach((name, i) => {
      expect({ name, said: said[i] }).toEqual({
        name,
        said: expect.arrayContaining([expect.stringMatching(/^(hasDotgit|git\w+Symlink)$/)]),
      });
    });
  });

  test('a tree of encoded names is clean under fsck --strict, and in the order of compareTreeNames', () => {
    const any = fc
      .uint8Array({ minLength: 1, maxLength: 40 })
      .map((raw) => Buffer.from(raw).toString('latin1').replaceAll(/[/\0]/g, 'x'))
      .filter((name) => name !== '.' && name !== '..');
    const raw = new Set([
      ...SPECIAL_NAMES.map(bytes),
      ...fc.sample(any, { numRuns: 1500, seed: 5 }),
      ...fc.sample(mutated, { numRuns: 500, seed: 6 }).map(bytes),
    ]);
    const names = [...raw].map((name) => encodeName(name as FsName));
    expect(new Set(names).size).toBe(raw.size);
    const empty = git(['mktree'], '').toString().trim();
    const isFolder = (name: EncodedName) => name.length % 3 === 0;
    const lines = names.map((name) =>
      isFolder(name) ? `040000 tree ${empty}\t${name}` : `100644 blob ${blob}\t${name}`,
    );
    const tree = git(['mktree', '-z'], `${lines.join('\0')}\0`)
      .toString()
      .trim();
    const commit = git(['-c', 'user.name=t', '-c', 'user.email=t@t', 'commit-tree', '-m', 'x', tree])
      .toString()
      .trim();
    git(['update-ref', 'refs/heads/main', commit]);
    fs.rmSync(path.join(root, 'clean'), { recursive: true, force: true });
    execFileSync('git', [
      '-c',
      'transfer.fsckObjects=true',
      'clone',
      '-q',
      '--bare',
      '--no-local',
      path.join(root, 'git'),
      path.join(root, 'clean'),
    ]);
    const fsck = spawnSync('git', ['--git-dir', path.join(root, 'clean'), 'fsck', '--strict']);
    expect(`${fsck.status} ${fsck.stdout}${fsck.stderr}`).toBe('0 ');
    const listed = git(['ls-tree', '-z', '--name-only', tree]).toString().split('\0').slice(0, -1);
    expect(listed).toEqual(names.toSorted((a, b) => compareTreeNames(a, isFolder(a), b, isFolder(b))));
  });
});
