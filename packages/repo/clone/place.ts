import fs from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import {
  decodePath,
  encodeName,
  type FsName,
  type FsPath,
  KIND,
  type KnownDirectory,
  type PathProblem,
  PLAIN_FOLDER_MODE,
  PROTECTION,
  type RepoPath,
  ROOT,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import { DOT_BK, fsyncDirectory, type IndexDb, type Layout } from '@bk/store';
import {
  bytePath,
  canLinkIn,
  type Folder,
  isNoLink,
  nodePath,
  putStat,
  removeStaged,
  TreeFs,
  unlinkStaged,
} from '@bk/worktree';

export interface Placing {
  readonly layout: Layout;
  /** Folder of staging that mirrors the tree. */
  readonly tree: string;
  /** Of the root and of folders at the top, where they are not plain ones. */
  readonly modes: ReadonlyMap<RepoPath, number>;
  /** An interrupted run may have taken a name by an empty file, where there are no links. */
  readonly resumed: boolean;
}

export const IN_THE_WAY = 'something else is at its name';

/**
 * Gives everything that is staged its place: folders at the top by rename, files and links by link, each on to a free
 * name only. What came to be at a name meanwhile stays. Goes on where an interrupted run was: a name is in staging
 * until it is in place.
 */
export function placeStaged(placing: Placing): PathProblem[] {
  const { layout, tree } = placing;
  const fsTree = new TreeFs(layout.root);
  try {
    const root = fsTree.openFolder('' as FsPath);
    const problems: PathProblem[] = [];
    for (const name of stagedNames(tree)) {
      if (placeOne(placing, { fsTree, root }, name)) continue;
      problems.push({ path: encodeName(name) as string as RepoPath, reason: IN_THE_WAY });
      removeStaged(`${bytePath(tree)}/${name}`);
    }
    for (const [path, mode] of placing.modes) giveMode(fsTree, root, { path, mode });
    fsTree.sync(root);
    return problems;
  } finally {
    fsTree.close();
  }
}

function stagedNames(tree: string): FsName[] {
  try {
    return fs.readdirSync(tree, 'latin1').sort() as FsName[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

interface Root {
  readonly fsTree: TreeFs;
  readonly root: Folder;
}

/** @returns false if something else is there */
function placeOne(
  { layout: { staging: folder }, tree, resumed }: Placing,
  { fsTree, root }: Root,
  name: FsName,
): boolean {
  const staged = `${bytePath(tree)}/${name}`;
  const stat = fs.lstatSync(nodePath(staged), { bigint: true });
  const there = fsTree.look(root, name);
  if (stat.isDirectory()) {
    if (there !== undefined) return false;
    fsTree.putFolderBack(nodePath(staged) as string, root, name);
    return true;
  }
  const isOwn = there !== undefined && there.ino === stat.ino && there.dev === stat.dev;
  const isTaken = resumed && !isOwn && !canLinkIn(folder) && there?.isFile() === true && there.size === 0n;
  if (there !== undefined && !isOwn && !isTaken) return false;
  if (isTaken) fsTree.fillTaken(nodePath(staged), root, name);
  else if (isOwn || linked(staged, { fsTree, root }, name)) unlinkStaged(staged);
  else fsTree.moveInto(nodePath(staged) as string, root, name);
  return true;
}

/** @returns false where there are no links. */
function linked(staged: string, { fsTree, root }: Root, name: FsName): boolean {
  try {
    fsTree.linkInto(nodePath(staged), root, name);
    return true;
  } catch (error) {
    if (!isNoLink(error)) throw error;
    return false;
  }
}

function giveMode(fsTree: TreeFs, root: Folder, { path, mode }: { path: RepoPath; mode: number }): void {
  if (path === ROOT) {
    fs.fchmodSync(root.fd, mode & 0o1777);
    return;
  }
  const name = decodePath(path) as string as FsName;
  const stat = fsTree.look(root, name);
  if (stat?.isDirectory()) fsTree.setMode(root, name, { inode: stat.ino, mode });
}

/** Clocks of file systems tick: what is looked at later than this after it changed is not doubted. */
export const GRAIN_MS = 25;

/**
 * Rows of the root and the folders at the top as they are in place: a link more or less, or a rename, changed their times.
 * @param blocked names at the top that were not placed; all in them is absent
 */
export async function settleRows(
  layout: Layout,
  index: IndexDb,
  blocked: ReadonlySet<RepoPath>,
): Promise<void> {
  await setTimeout(GRAIN_MS);
  const observedNs = BigInt(Date.now()) * 1_000_000n;
  const put: [RepoPath, KnownDirectory][] = [];
  const root = index.known(ROOT);
  if (root === undefined) return;
  const base = bytePath(layout.root);
  root.listing.names.forEach((name, k) => {
    if (k === 0 || root.protections[k] === PROTECTION.absent) return;
    const path = encodeName(name as FsName) as string as RepoPath;
    if (blocked.has(path)) {
      root.protections[k] = PROTECTION.absent;
      forget(root, k);
      if (root.listing.kinds[k] === KIND.dir)
        for (const [below, row] of [...index.below(path)]) put.push([below, absentRow(row)]);
    } else if (root.listing.kinds[k] === KIND.dir) {
      const row = index.known(path);
      if (row === undefined) return;
      put.push([path, { ...listedAgain(row, nodePath(`${base}/${name}`)), observedNs }]);
    } else lookAgain(root, k, `${base}/${name}`);
  });
  const others = fs.readdirSync(nodePath(base), 'latin1').filter((name) => name !== DOT_BK);
  const expected = root.listing.names.filter((_, k) => k > 0 && root.protections[k] !== PROTECTION.absent);
  const same = others.length === expected.length && others.sort().every((name, i) => name === expected[i]);
  const settled = listedAgain(root, nodePath(base));
  if (!same) settled.listing.stats.fill(0n, 0, STAT_WIDTH);
  put.push([ROOT, { ...settled, observedNs }]);
  index.write({ put });
}

function listedAgain(row: KnownDirectory, folder: string | Buffer): KnownDirectory {
  const stat = fs.lstatSync(folder, { bigint: true });
  putStat(row.listing.stats, 0, stat);
  row.listing.modes[0] = Number(stat.mode & 0o7777n);
  return row;
}

/** A file at the top is the staged one still if nothing but its links changed; else nothing vouches for it. */
function lookAgain({ listing: { stats, modes } }: KnownDirectory, k: number, file: string): void {
  const stat = fs.lstatSync(nodePath(file), { bigint: true, throwIfNoEntry: false });
  const at = k * STAT_WIDTH;
  const before = stats.slice(at, at + STAT_WIDTH);
  if (
    stat === undefined ||
    stat.size !== before[STAT.size] ||
    BigInt.asIntN(64, stat.mtimeNs) !== before[STAT.mtime]
  ) {
    stats[at + STAT.ctime] = 0n;
    return;
  }
  putStat(stats, k, stat);
  modes[k] = Number(stat.mode & 0o7777n);
}

function absentRow(row: KnownDirectory): KnownDirectory {
  for (let k = 1; k < row.listing.names.length; k++) {
    row.protections[k] = PROTECTION.absent;
    forget(row, k);
  }
  row.listing.stats.fill(0n, 0, STAT_WIDTH);
  row.listing.modes[0] = PLAIN_FOLDER_MODE;
  if (row.records.subarray(0, 20).some((byte) => byte !== 0)) row.protections[0] = PROTECTION.absent;
  return row;
}

function forget({ listing: { stats } }: KnownDirectory, k: number): void {
  for (const column of [STAT.inode, STAT.ctime, STAT.birth, STAT.links]) stats[k * STAT_WIDTH + column] = 0n;
}

/** Takes the folder away that everything was moved out of. */
export function removeStagedTree({ staging }: Layout, tree: string): void {
  removeStaged(bytePath(tree));
  fsyncDirectory(staging);
}
