import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { EVERYTHING, formatRepositoryFacts, type GitId, subsetHash } from '@bk/core';
import { PackWriter, readRef, updateRef } from '@bk/store';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ProblemKind } from './check/problems.ts';
import { check } from './check.ts';
import { commit } from './commit.ts';
import type { Context } from './context.ts';
import { init } from './init.ts';
import { MAIN, openRepository } from './repository.ts';

const context: Context = { report: () => {}, nowMs: () => Date.now(), random: (bytes) => randomBytes(bytes) };
let base = '';
let pristine = '';
let root = '';
let bk = '';

/** A repository with two commits, made once; each test damages a copy. */
beforeAll(async () => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-check-'));
  pristine = path.join(base, 'pristine');
  fs.mkdirSync(path.join(pristine, 'sub', 'deep'), { recursive: true });
  for (let i = 0; i < 20; i++)
    fs.writeFileSync(path.join(pristine, i % 2 ? 'sub' : 'sub/deep', `f${i}`), `content ${i}`);
  init(pristine, {}, context);
  await committed(pristine);
  fs.writeFileSync(path.join(pristine, 'sub', 'f1'), 'another content');
  fs.writeFileSync(path.join(pristine, '.git'), 'odd name');
  await committed(pristine);
});
afterAll(() => fs.rmSync(base, { recursive: true, force: true }));
beforeEach(() => {
  root = fs.mkdtempSync(path.join(base, 'copy-'));
  execFileSync('cp', ['-a', `${pristine}/.`, root]);
  bk = path.join(root, '.bk');
  openRepository(root).close(); // the copy becomes a repository of its own
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

async function committed(folder: string): Promise<void> {
  const repo = openRepository(folder);
  try {
    await commit(repo, { message: 'x' }, context);
  } finally {
    repo.close();
  }
}

function problemsOf(deep = false) {
  const repo = openRepository(root);
  try {
    const before = listing();
    const result = check(repo, { deep }, context);
    expect(result.ok).toBe(result.problems.length === 0);
    expect(listing()).toEqual(before);
    for (const problem of result.problems) expect(problem.detail && problem.remedy).toBeTruthy();
    return result.problems;
  } finally {
    repo.close();
  }
}

/** Names and contents of all that lies in `.bk`. */
function listing(): string[] {
  return fs
    .readdirSync(bk, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => `${file} ${createHash('sha1').update(fs.readFileSync(file)).digest('hex')}`)
    .sort();
}

const git = (...args: string[]) =>
  execFileSync('git', ['--git-dir', path.join(bk, 'history'), ...args])
    .toString()
    .trim();
const fsck = () => {
  const { status, stdout, stderr } = spawnSync('git', [
    '--git-dir',
    path.join(bk, 'history'),
    'fsck',
    '--strict',
    '--full',
  ]);
  return status === 0 && !/error|missing|broken|invalid/.test(`${stdout}${stderr}`);
};
const packs = () =>
  fs
    .readdirSync(path.join(bk, 'history/objects/pack'))
    .map((name) => path.join(bk, 'history/objects/pack', name));
const largestPack = () =>
  packs()
    .filter((file) => file.endsWith('.pack'))
    .sort((a, b) => fs.statSync(b).size - fs.statSync(a).size)[0] as string;

/** Writes bytes over a file of bk's, whatever its mode. */
function overwrite(file: string, change: (bytes: Buffer) => Buffer): void {
  const bytes = change(Buffer.from(fs.readFileSync(file)));
  fs.chmodSync(file, 0o600);
  fs.writeFileSync(file, bytes);
}

const flip = (at: number) => (bytes: Buffer) => {
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = (bytes[place] ?? 0) ^ 0x10;
  return bytes;
};

test('a sound repository has no problems, also after git gc, and deep', () => {
  expect(problemsOf(true)).toEqual([]);
  git('gc', '-q', '--prune=now');
  expect(fs.existsSync(path.join(bk, 'history/packed-refs'))).toBe(true);
  expect(problemsOf()).toEqual([]);
});

describe('a damaged history', () => {
  const cases: readonly (readonly [string, ProblemKind, () => void])[] = [
    ['a bit of the largest pack', 'pack', () => overwrite(largestPack(), flip(200))],
    ['a bit of a pack’s trailer', 'pack', () => overwrite(largestPack(), flip(-3))],
    [
      'a truncated pack',
      'pack',
      () => overwrite(largestPack(), (bytes) => bytes.subarray(0, bytes.length >> 1)),
    ],
    ['an empty pack', 'pack', () => overwrite(largestPack(), () => Buffer.alloc(0))],
    ['a bit of a pack’s index', 'pack', () => overwrite(largestPack().replace('.pack', '.idx'), flip(1100))],
    ['a pack without its index', 'pack', () => fs.rmSync(largestPack().replace('.pack', '.idx'))],
    ['no packs', 'history', () => packs().forEach((file) => void fs.rmSync(file))],
    ['an empty ref', 'ref', () => fs.writeFileSync(path.join(bk, 'history', MAIN), '')],
    ['a ref of garbage', 'ref', () => fs.writeFileSync(path.join(bk, 'history', MAIN), 'zzz\n')],
    [
      'a ref to nothing',
      'history',
      () => fs.writeFileSync(path.join(bk, 'history', MAIN), `${'1'.repeat(40)}\n`),
    ],
    ['a broken HEAD', 'ref', () => fs.writeFileSync(path.join(bk, 'history/HEAD'), 'nothing\n')],
  ];
  test.each(cases)('%s', (_, kind, damage) => {
    expect(fsck()).toBe(true);
    damage();
    expect(fsck()).toBe(false);
    expect(problemsOf().map((problem) => problem.kind)).toContain(kind);
  });

  test('a missing blob: only its path is named', () => {
    const victim = git('rev-parse', 'main:sub/f3');
    git('gc', '-q', '--prune=now');
    const pack = largestPack();
    const kept = path.join(base, 'kept.pack');
    fs.renameSync(pack, kept);
    for (const file of packs()) fs.rmSync(file, { force: true });
    execFileSync('git', ['--git-dir', path.join(bk, 'history'), 'unpack-objects', '-q'], {
      input: fs.readFileSync(kept),
    });
    fs.rmSync(path.join(bk, 'history/objects', victim.slice(0, 2), victim.slice(2)));
    expect(fsck()).toBe(false);
    expect(problemsOf().map(({ kind, subject }) => [kind, subject])).toEqual([['record', 'sub/f3']]);
  });

  test('every flipped bit that git finds is found', () => {
    const pack = largestPack();
    const size = fs.statSync(pack).size;
    for (let at = 13; at < size; at += Math.ceil(size / 25)) {
      overwrite(pack, flip(at));
      expect({ at, problems: problemsOf().length > 0 }).toEqual({ at, problems: true });
      overwrite(pack, flip(at));
    }
    expect(problemsOf()).toEqual([]);
  });
});

describe('a history that git finds clean and bk does not', () => {
  function commitTree(lines: readonly string[]): void {
    const tree = execFileSync('git', ['--git-dir', path.join(bk, 'history'), 'mktree', '-z'], {
      input: `${lines.join('\0')}\0`,
    })
      .toString()
      .trim();
    const made = git(
      '-c',
      'user.name=t',
      '-c',
      'user.email=t@t',
      'commit-tree',
      '-m',
      'x',
      '-p',
      'main',
      tree,
    );
    git('update-ref', 'refs/remotes/usb/main', made);
    expect(fsck()).toBe(true);
  }
  const blob = (text: string) =>
    execFileSync('git', ['--git-dir', path.join(bk, 'history'), 'hash-object', '-w', '--stdin'], {
      input: text,
    })
      .toString()
      .trim();
  const record = () => git('rev-parse', 'main:sub/f3');

  test.each([
    ['a name that is not canonical', () => [`100644 blob ${record()}\ta%41`], 'history'],
    ['.bk in disguise', () => [`100644 blob ${record()}\t.BK `], 'history'],
    ['.bk as a folder', () => [`040000 tree ${git('rev-parse', 'main:sub')}\t.bk`], 'history'],
    ['a record that is not canonical', () => [`100644 blob ${blob('{"v":1}\n')}\ta`], 'record'],
    ['a file’s record as .bkdir', () => [`100644 blob ${record()}\t.bkdir`], 'record'],
    [
      'a record that is not UTF-8',
      () => [`100644 blob ${blob(Buffer.from([0x22, 0xff, 0x22, 10]).toString('latin1'))}\ta`],
      'record',
    ],
  ] as const)('%s', (_, lines, kind) => {
    commitTree(lines());
    expect(problemsOf().map((problem) => problem.kind)).toEqual([kind]);
  });

  test('one object at two places', () => {
    const repo = openRepository(root);
    repo.beginWriting();
    const { history } = repo;
    const head = repo.head as GitId;
    const before = history.readCommit(head);
    const writer = new PackWriter(repo.layout.history, repo.layout.staging);
    const entries = history.readTree(before.tree);
    const twin = entries.find(({ kind }) => kind === 'tree');
    const tree = writer.addTree([
      ...entries,
      { ...(twin as NonNullable<typeof twin>), name: 'twin' as never },
    ]);
    const { id: _, ...fields } = before;
    const next = writer.addCommit({ ...fields, tree, parents: [head] });
    writer.finish();
    updateRef(repo.layout.history, MAIN, head, next);
    repo.close();
    const kinds = problemsOf().map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'identity').length).toBe(20);
  });
});

describe('presence', () => {
  const id = '01890000-0000-7000-8000-000000000001';
  const FACTS = {
    v: 1,
    ...{ id, name: 'disk', volume: 'bk:1', kind: 'folder', time: '2026-10-01T12:00:00.000000000Z' },
    subset: { ...EVERYTHING, hash: subsetHash(EVERYTHING) },
  } as const;
  function presence(about: string, present = true): void {
    const writer = new PackWriter(path.join(bk, 'history'), path.join(bk, 'staging'));
    const repo = openRepository(root);
    const head = repo.history.readCommit(readRef(path.join(bk, 'history'), MAIN) as GitId);
    const entries = [{ name: 'repository.json' as never, kind: 'blob' as const, id: writer.addBlob(about) }];
    const tree = writer.addTree(
      present ? [...entries, { name: 'present' as never, kind: 'tree', id: head.tree }] : entries,
    );
    const made = writer.addCommit({
      tree,
      parents: [],
      author: head.author,
      committer: head.committer,
      message: 'x\n',
    });
    writer.finish();
    updateRef(path.join(bk, 'history'), `refs/bk/repositories/${id}`, undefined, made);
    repo.close();
  }
  test('a sound one', () => {
    presence(formatRepositoryFacts(FACTS));
    expect(problemsOf()).toEqual([]);
  });
  test.each([
    '{}\n',
    '{"id":1}',
    formatRepositoryFacts({ ...FACTS, id: id.replace('1', '2') }),
    formatRepositoryFacts(FACTS).replace('"time": "2026', '"time": "2o26'),
  ])('repository.json %j', (about) => {
    presence(about, false);
    expect(problemsOf().map(({ kind }) => kind)).toEqual(['presence']);
  });
});

describe('the index', () => {
  const index = () => path.join(bk, 'index.sqlite');
  const sql = (text: string) => {
    const db = new Database(index());
    db.exec(text);
    db.close();
  };
  test.each<readonly [string, () => void, string]>([
    ['is missing', () => fs.rmSync(index()), 'index.sqlite'],
    ['is garbage', () => fs.writeFileSync(index(), randomBytes(9000)), 'index.sqlite'],
    ['is cut off', () => fs.truncateSync(index(), 4096), 'index.sqlite'],
    [
      'mirrors another commit',
      () => sql(`UPDATE meta SET value = '${'1'.repeat(40)}' WHERE key = 'head'`),
      'index.sqlite',
    ],
    ['has a damaged row', () => sql(`UPDATE directories SET row = zeroblob(100) WHERE path = 'sub'`), 'sub'],
    ['lacks a row', () => sql(`DELETE FROM directories WHERE path = 'sub/deep'`), 'sub/deep'],
    [
      'has a row too many',
      () => sql(`INSERT INTO directories SELECT 'elsewhere', row FROM directories WHERE path = 'sub'`),
      'elsewhere',
    ],
    [
      'has the row of another folder',
      () =>
        sql(`UPDATE directories SET row = (SELECT row FROM directories WHERE path = 'sub') WHERE path = ''`),
      '',
    ],
  ])('%s', (_, damage, subject) => {
    damage();
    expect(problemsOf().map((problem) => [problem.kind, problem.subject, problem.remedy])).toEqual([
      ['index', subject, 'bk reindex'],
    ]);
  });
});

describe('net, config and leftovers', () => {
  test('a stranger in the net is named', () => {
    fs.writeFileSync(path.join(bk, 'safety/ab/mine.txt'), 'x');
    fs.writeFileSync(path.join(bk, 'safety/README'), 'x');
    expect(problemsOf().map(({ subject }) => subject)).toEqual(['safety/README', 'safety/ab/mine.txt']);
  });

  test('a content that no commit knows', () => {
    fs.writeFileSync(path.join(bk, `safety/ab/${'0'.repeat(62)}`), 'x');
    expect(problemsOf().map(({ kind, detail }) => [kind, detail])).toEqual([
      ['safety', 'a content that no commit knows'],
    ]);
  });

  test('an entry with another content, only if looked into', () => {
    const shard = fs
      .readdirSync(path.join(bk, 'safety'))
      .find((name) => fs.readdirSync(path.join(bk, 'safety', name)).length > 0) as string;
    const entry = path.join(bk, 'safety', shard, fs.readdirSync(path.join(bk, 'safety', shard))[0] as string);
    fs.chmodSync(entry, 0o600);
    fs.writeFileSync(entry, 'written over in place');
    expect(problemsOf()).toEqual([]);
    expect(problemsOf(true).map(({ kind, subject }) => [kind, path.join(bk, subject)])).toEqual([
      ['safety', entry],
    ]);
  });

  test('what a killed command left and opening does not clear away', () => {
    fs.writeFileSync(path.join(bk, 'staging/mine.txt'), 'x');
    fs.writeFileSync(path.join(bk, 'journal/tx-1.jsonl'), 'x');
    fs.writeFileSync(path.join(bk, 'history', `${MAIN}.lock`), '');
    expect(problemsOf().map(({ kind, subject }) => `${kind} ${subject}`)).toEqual([
      `leftover history/${MAIN}.lock`,
      'leftover staging/mine.txt',
      'leftover journal/tx-1.jsonl',
    ]);
  });

  test('not while another command is running', () => {
    const writer = openRepository(root);
    writer.beginWriting();
    fs.writeFileSync(path.join(bk, 'staging/net-0123456789abcdef-0'), 'x');
    fs.writeFileSync(path.join(bk, `safety/ab/${'0'.repeat(62)}`), 'x');
    const reader = openRepository(root);
    expect(check(reader, {}, context).problems).toEqual([]);
    reader.close();
    writer.close();
  });

  test('config that became unreadable after it was opened', () => {
    const repo = openRepository(root);
    fs.writeFileSync(path.join(bk, 'config.json'), '{"v":1}');
    expect(check(repo, {}, context).problems.map(({ kind }) => kind)).toEqual(['config']);
    repo.close();
  });

  test('a repository without a commit', () => {
    const empty = path.join(root, '..', `empty-${path.basename(root)}`);
    init(empty, {}, context);
    const repo = openRepository(empty);
    expect(check(repo, { deep: true }, context)).toEqual({ ok: true, problems: [] });
    repo.close();
    fs.rmSync(empty, { recursive: true });
  });
});
