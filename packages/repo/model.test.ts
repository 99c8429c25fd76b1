import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseMtime, type RepoPath } from '@bk/core';
import { hashBytes } from '@bk/worktree';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { check } from './check.ts';
import { absent, drop, get, loseIndex } from './partial.fixture.ts';
import { TestTree } from './tree.fixture.ts';

/** Numbers choose what is done to which of the paths that there are. */
interface Step {
  readonly op: (typeof OPS)[number];
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const OPS = [
  'write',
  'write',
  'write',
  'edit',
  'save',
  'touch',
  'chmod',
  'chmodFolder',
  'mkdir',
  'rmdir',
  'remove',
  'removeTree',
  'move',
  'move',
  'moveTree',
  'swap',
  'symlink',
  'hardlink',
  'turn',
  'empty',
  'status',
  'commit',
  'commitSome',
  'commitSome',
] as const;
const RUNS = Number(process.env['BK_RUNS'] ?? 25);
const NAMES = ['a', 'b', 'c', 'd e', '\xc3\xbc', '\xff'];
const TEXTS = ['', 'one', 'two', 'three', 'a longer text of some words', 'TWO'];

const step: fc.Arbitrary<Step> = fc.record({
  op: fc.constantFrom(...OPS),
  a: fc.nat(1000),
  b: fc.nat(1000),
  c: fc.nat(1000),
});

function pick<T>(from: readonly T[], n: number): T | undefined {
  return from.length === 0 ? undefined : from[n % from.length];
}

function listAll(tree: TestTree): { files: string[]; folders: string[] } {
  const files: string[] = [];
  const folders = [''];
  for (const folder of folders) {
    for (const name of fs.readdirSync(tree.at(folder), 'latin1').sort()) {
      if (name === '.bk') continue;
      const place = folder === '' ? name : `${folder}/${name}`;
      (fs.lstatSync(tree.at(place)).isDirectory() ? folders : files).push(place);
    }
  }
  return { files, folders };
}

/** A path below one of the folders where nothing is. */
function freePath(tree: TestTree, folders: readonly string[], a: number, b: number): string | undefined {
  const folder = pick(folders, a)!;
  const name = pick(NAMES, b)!;
  const place = folder === '' ? name : `${folder}/${name}`;
  return place.split('/').length > 4 || fs.existsSync(tree.at(place)) || isLink(tree, place)
    ? undefined
    : place;
}

function isLink(tree: TestTree, place: string): boolean {
  return fs.lstatSync(tree.at(place), { throwIfNoEntry: false }) !== undefined;
}

function isRegular(tree: TestTree, place: string | undefined): place is string {
  return place !== undefined && fs.lstatSync(tree.at(place)).isFile();
}

function change(tree: TestTree, { op, a, b, c }: Step): void {
  const { files, folders } = listAll(tree);
  const file = pick(files, a);
  const folder = pick(folders.slice(1), a);
  const free = freePath(tree, folders, b, c);
  const text = pick(TEXTS, c)!;
  if (op === 'write' && free !== undefined) fs.writeFileSync(tree.at(free), pick(TEXTS, a)!);
  if (op === 'edit' && isRegular(tree, file)) fs.writeFileSync(tree.at(file), text);
  if (op === 'save' && isRegular(tree, file)) {
    fs.writeFileSync(`${tree.base}/new`, text);
    fs.renameSync(`${tree.base}/new`, tree.at(file));
  }
  if (op === 'touch' && isRegular(tree, file))
    fs.utimesSync(tree.at(file), 1_000_000_000 + b, 1_000_000_000 + b);
  if (op === 'chmod' && isRegular(tree, file)) fs.chmodSync(tree.at(file), [0o644, 0o600, 0o755][b % 3]!);
  if (op === 'chmodFolder') fs.chmodSync(tree.at(pick(folders, a)!), [0o755, 0o700, 0o755, 0o750][b % 4]!);
  if (op === 'mkdir' && free !== undefined) tree.mkdir(free);
  if (op === 'rmdir' && folder !== undefined && fs.readdirSync(tree.at(folder)).length === 0)
    fs.rmdirSync(tree.at(folder));
  if (op === 'remove' && file !== undefined) fs.unlinkSync(tree.at(file));
  if (op === 'removeTree' && folder !== undefined) removeTree(tree, folder);
  if (op === 'empty')
    for (const each of files) if (each.startsWith(`${folder}/`)) fs.unlinkSync(tree.at(each));
  if (op === 'move' && file !== undefined && free !== undefined) tree.mv(file, free);
  if (op === 'moveTree' && folder !== undefined && free !== undefined && !free.startsWith(`${folder}/`))
    tree.mv(folder, free);
  if (op === 'swap') swap(tree, file, pick(files, b));
  if (op === 'symlink' && free !== undefined)
    fs.symlinkSync(Buffer.from(text || 'x', 'latin1'), tree.at(free));
  if (op === 'hardlink' && file !== undefined && free !== undefined)
    fs.linkSync(tree.at(file), tree.at(free));
  if (op === 'turn') turn(tree, { file, folder, n: b });
}

function removeTree(tree: TestTree, folder: string): void {
  for (const name of fs.readdirSync(tree.at(folder), 'latin1')) {
    const place = `${folder}/${name}`;
    if (fs.lstatSync(tree.at(place)).isDirectory()) removeTree(tree, place);
    else fs.unlinkSync(tree.at(place));
  }
  fs.rmdirSync(tree.at(folder));
}

function swap(tree: TestTree, one: string | undefined, other: string | undefined): void {
  if (one === undefined || other === undefined || one === other) return;
  fs.renameSync(tree.at(one), `${tree.base}/aside`);
  tree.mv(other, one);
  fs.renameSync(`${tree.base}/aside`, tree.at(other));
}

/** Something of another type takes the path; half the time what was there lives on elsewhere. */
function turn(
  tree: TestTree,
  { file, folder, n }: { file: string | undefined; folder: string | undefined; n: number },
): void {
  if (n % 2 === 0 && file !== undefined) {
    fs.unlinkSync(tree.at(file));
    if (n % 3 === 0) fs.symlinkSync('a', tree.at(file));
    else tree.write(`${file}/${pick(NAMES, n)!}`, pick(TEXTS, n)!);
  }
  if (n % 2 === 1 && folder !== undefined && folder.includes('/')) {
    const aside = freePath(tree, [''], 0, n);
    if (aside !== undefined && n % 3 === 0) tree.mv(folder, aside);
    else removeTree(tree, folder);
    fs.writeFileSync(tree.at(folder), pick(TEXTS, n)!);
  }
}

async function record(tree: TestTree, { op, a, b, c }: Step): Promise<void> {
  const { files, folders } = listAll(tree);
  const before = [...(await tree.records()).keys()].map((at) => at.replace(/\/?\.bkdir$/, ''));
  const candidates = [
    ...new Set([...files, ...folders].filter((at) => !/[\x80-\xff]/.test(at)).concat(before)),
  ].sort();
  const paths = [a, b, c].slice(0, 1 + (c % 3)).map((n) => pick(candidates, n)!) as RepoPath[];
  const told = await tree.status(op === 'commitSome' ? { paths } : {});
  if (op === 'status') return;
  const made = await tree.commit({
    allowMassDelete: true,
    ...(op === 'commitSome' && { paths }),
    ...(a % 2 && { deletions: 'confirmed' }),
  });
  const wanted = new Set(told.changes.map(({ path }) => path));
  for (const { path } of told.changes) expect(made.changes.map((each) => each.path)).toContain(path);
  if (op === 'commit') for (const { path } of made.changes) expect([...wanted]).toContain(path);
  await tree.verifyIndex();
}

/** Lets go of what is unchanged: whole folders, or single files. */
async function dropSome(tree: TestTree, { a, b, c }: Step): Promise<void> {
  if ((await tree.changes()).length > 0) return;
  const { files, folders } = listAll(tree);
  const plain = [...(b % 3 === 0 ? folders.slice(1) : files)].filter((place) => !/[\x80-\xff]/.test(place));
  const chosen = new Set([a, b, c].flatMap((n) => pick(plain, n) ?? []));
  const outer = [...chosen].filter((place) => ![...chosen].some((other) => place.startsWith(`${other}/`)));
  const kept = path.join(tree.base, 'kept');
  fs.mkdirSync(kept, { recursive: true });
  for (const place of outer) {
    if (isRegular(tree, place))
      execFileSync('cp', ['-a', tree.at(place).toString(), path.join(kept, hashOf(tree, place))]);
  }
  await drop(tree, ...outer);
}

function hashOf(tree: TestTree, place: string): string {
  return hashBytes(fs.readFileSync(tree.at(place)));
}

/** Brings one file back from what was kept aside, if nothing is in its way. */
async function getOne(tree: TestTree, { a }: Step): Promise<void> {
  const records = await tree.records();
  const wanted = (await absent(tree)).filter((file) => !/[^\x20-\x7e]|%/.test(file));
  const file = pick(wanted, a);
  const rec = file === undefined ? undefined : records.get(file);
  const kept = path.join(tree.base, 'kept', rec?.blake3 ?? 'none');
  if (file === undefined || !fs.existsSync(kept) || isLink(tree, file) || !isFolderFree(tree, file)) return;
  const times = Number(parseMtime(rec!.mtime!) / 1_000_000n) / 1000;
  fs.chmodSync(kept, Number.parseInt(rec!.mode, 8) | 0o600);
  fs.utimesSync(kept, times, times);
  await get(tree, kept, file);
}

function isFolderFree(tree: TestTree, file: string): boolean {
  const names = file.split('/').slice(0, -1);
  return names.every((_, i) => {
    const stat = fs.lstatSync(tree.at(names.slice(0, i + 1).join('/')), { throwIfNoEntry: false });
    return stat === undefined || stat.isDirectory();
  });
}

/** After anything in a partial state: a lost index changes no answer about files, and nothing absent is said to be gone. */
async function verifyAnswers(tree: TestTree): Promise<void> {
  const told = await tree.status();
  const before = await absent(tree);
  const gone = new Set(told.changes.filter(({ type }) => type === 'deleted').map(({ path }) => path));
  for (const { type, from } of told.changes) if (type === 'renamed') gone.add(from!);
  expect(before.filter((file) => gone.has(file as RepoPath))).toEqual([]);
  loseIndex(tree);
  expect(await absent(tree)).toEqual(before);
  const again = (await tree.status()).changes.filter(({ type }) => type === 'deleted');
  expect(before.filter((file) => again.some(({ path }) => path === file))).toEqual([]);
}

/** Commits, and compares what git sees with what was told: nothing else may be in it. */
async function recordPartial(tree: TestTree): Promise<void> {
  const before = new Map(await tree.records());
  const gone = await absent(tree);
  const made = await tree.commit({ allowMassDelete: true });
  const after = await tree.records();
  const named = new Set(made.changes.flatMap(({ path, from }) => [path, from ?? path]));
  for (const file of gone)
    if (!named.has(file as RepoPath))
      expect({ [file]: after.get(file) }).toEqual({ [file]: before.get(file) });
  for (const { type, path } of made.changes) if (type === 'deleted') expect(gone).not.toContain(path);
  await tree.verifyIndex();
  tree.fsck();
  await tree.with((repo) => expect(check(repo, {}, tree.context).problems).toEqual([]));
}

const PARTIAL_OPS = [
  ...OPS.filter((op) => !op.startsWith('commit')),
  'drop',
  'drop',
  'get',
  'commit',
  'commit',
  'commit',
  'lose',
] as const;

/** Brought back with a time near the recorded one, then replaced (once listed with the disk's time). */
const BROUGHT_BACK_THEN_REPLACED = [
  { op: 'drop', a: 0, b: 61, c: 0 },
  { op: 'get', a: 0, b: 0, c: 0 },
  { op: 'drop', a: 0, b: 76, c: 0 },
  ...Array.from({ length: 8 }, () => ({ op: 'write', a: 0, b: 0, c: 0 }) as const),
] as const;

test('in part: what is let go of and brought back, with all that is done beside it, is never taken for deleted', async () => {
  const partialStep = fc.record({
    ...{ op: fc.constantFrom(...PARTIAL_OPS), a: fc.nat(1000), b: fc.nat(1000), c: fc.nat(1000) },
  });
  await fc.assert(
    fc.asyncProperty(fc.array(partialStep, { minLength: 8, maxLength: 30 }), async (steps) => {
      using tree = new TestTree();
      for (const name of ['a', 'b', 'c/a', 'c/b', 'd e/a/b', 'd e/a/c', 'd e/b'])
        tree.write(name, `text of ${name}`);
      await tree.commit();
      for (const { op, ...numbers } of steps) {
        const each = { op: 'status' as const, ...numbers };
        if (op === 'drop') await dropSome(tree, each);
        else if (op === 'get') await getOne(tree, each);
        else if (op === 'commit') await recordPartial(tree);
        else if (op === 'lose') await verifyAnswers(tree);
        else change(tree, { ...each, op: op as Step['op'] });
      }
      await recordPartial(tree);
      await verifyAnswers(tree);
      await recordPartial(tree);
      await tree.status();
      expect((await tree.commit()).commit).toBe(null);
    }),
    {
      numRuns: RUNS,
      examples: [[[...BROUGHT_BACK_THEN_REPLACED]]],
      ...(process.env['BK_SEED'] && { seed: Number(process.env['BK_SEED']) }),
    },
  );
}, 600_000);

test('whatever is done and committed, in parts or whole: the head says what the disk says, the index what the head says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 40 }), async (steps) => {
      using tree = new TestTree();
      for (const each of steps) {
        if (each.op === 'commit' || each.op === 'commitSome' || each.op === 'status')
          await record(tree, each);
        else change(tree, each);
      }
      await tree.commit({ allowMassDelete: true });
      await tree.verify();
      expect((await tree.commit()).commit).toBe(null);
    }),
    { numRuns: RUNS, ...(process.env['BK_SEED'] && { seed: Number(process.env['BK_SEED']) }) },
  );
}, 600_000);
