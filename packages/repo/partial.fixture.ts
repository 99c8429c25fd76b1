import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { DIRECTORY_RECORD, nameOf, PROTECTION, parentOf, type RepoPath, ROOT, STAT_WIDTH } from '@bk/core';
import { IndexDb, layoutOf } from '@bk/store';
import { hashBytes, putStat } from '@bk/worktree';
import { expect } from 'vitest';
import { check } from './check.ts';
import { absentBelow, isAbsent, setAbsent, setPresent } from './presence/absence.ts';
import { recordsOf, type TestTree } from './tree.fixture.ts';

/** Paths here are ASCII: what is absent is not a matter of names. */
export const at = (text: string) => text as RepoPath;

/** Lets go of files and folders as `drop` does: marked first, then removed, with the folders that are left empty. */
export async function drop(tree: TestTree, ...paths: string[]): Promise<void> {
  await tree.with((repo) => {
    repo.beginWriting();
    setAbsent(repo, paths.map(at), tree.context);
  });
  for (const file of paths) {
    fs.rmSync(tree.at(file), { recursive: true });
    removeEmptied(tree, path.posix.dirname(file));
  }
}

function removeEmptied(tree: TestTree, folder: string): void {
  if (folder === '.' || fs.readdirSync(tree.at(folder)).length > 0) return;
  fs.rmdirSync(tree.at(folder));
  removeEmptied(tree, path.posix.dirname(folder));
}

/** Copies a file that was kept aside back to its place, as `get` does. */
export async function get(tree: TestTree, kept: string, file: string): Promise<void> {
  fs.mkdirSync(path.dirname(tree.at(file).toString()), { recursive: true, mode: 0o755 });
  execFileSync('cp', ['-a', kept, tree.at(file).toString()]);
  const stats = new BigInt64Array(STAT_WIDTH);
  putStat(stats, 0, fs.lstatSync(tree.at(file), { bigint: true }));
  const observedNs = BigInt(Date.now()) * 1_000_000n;
  await tree.with((repo) => {
    repo.beginWriting();
    setPresent(repo, [{ path: at(file), stats, observedNs, protection: PROTECTION.none }], tree.context);
  });
}

export function absent(tree: TestTree, below = ''): Promise<string[]> {
  return tree.with((repo) => [...absentBelow(repo, at(below))]);
}

/** What the last commit changed, as git sees it: `M path`. */
export function committed(tree: TestTree): string[] {
  const told = tree.git('diff-tree', '-r', '--no-renames', '--name-status', 'main~1', 'main');
  return told
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace('\t', ' '));
}

/** The tree `present/` of its own presence: paths of blobs. */
export function present(tree: TestTree): string[] {
  const id = JSON.parse(fs.readFileSync(layoutOf(tree.root).config, 'utf8')).id;
  const told = tree.git('ls-tree', '-r', '--name-only', '-z', `refs/bk/repositories/${id}:present`);
  return told.split('\0').filter((line) => line !== '');
}

/** Throws the index away, and keeps it for `putBack`. */
export function loseIndex(tree: TestTree): void {
  IndexDb.discard(layoutOf(tree.root).index);
}

/** Whatever was committed and let go of: nothing differs, all parts agree, and a lost index knows all of it again. */
export async function verifyPartial(tree: TestTree): Promise<void> {
  expect(await tree.changes()).toEqual([]);
  await tree.verifyIndex();
  await verifyHere(tree);
  tree.fsck();
  await tree.with((repo) => expect(check(repo, {}, tree.context).problems).toEqual([]));
  const before = await absent(tree);
  loseIndex(tree);
  const seen = await tree.status();
  expect({ changes: seen.changes, unreadable: seen.unreadable }).toEqual({ changes: [], unreadable: [] });
  expect(await absent(tree)).toEqual(before);
}

/** What is not absent is on the disk as recorded, what is absent is not there, and the presence says the same. */
async function verifyHere(tree: TestTree): Promise<void> {
  await tree.with((repo) => {
    const here: string[] = [];
    for (const [blob, rec] of recordsOf(repo)) {
      const own = nameOf(at(blob)) === DIRECTORY_RECORD;
      const file = own ? parentOf(at(blob)) : at(blob);
      const known = repo.index.known(own ? file : parentOf(file))!;
      const gone = own ? known.protections[0] === PROTECTION.absent : isAbsent(repo, file);
      if (!gone) here.push(blob);
      if (own) continue;
      const stat = fs.lstatSync(tree.at(file), { throwIfNoEntry: false });
      expect({ [file]: stat === undefined }).toEqual({ [file]: gone });
      if (stat?.isFile()) expect(hashBytes(fs.readFileSync(tree.at(file)))).toBe(rec.blake3);
    }
    if (repo.head !== undefined) expect(present(tree)).toEqual(here.sort(bytewise));
    expect(isAbsent(repo, ROOT)).toBe(here.length === 0);
  });
}

function bytewise(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
