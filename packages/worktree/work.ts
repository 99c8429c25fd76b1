import fs from 'node:fs';
import path from 'node:path';
import {
  BkError,
  type ContentHash,
  decodePath,
  type EntryExpectation,
  type Expectation,
  type FsName,
  type FsPath,
  type RepoPath,
  type Step,
  type StepResult,
  type Transaction,
} from '@bk/core';
import { hashBytes, hashDescriptor } from './hash.ts';
import { KEEPS_NONE, split } from './stage.ts';
import type { Folder, TreeFs } from './treefs.ts';

/** What the writer of a transaction's journal does; store has it. */
export interface OpenJournal {
  /** Durable, before a file is written under its final name. */
  creating(step: number): void;
  /** So many steps are done; not durable. */
  done(steps: number): void;
  /** Durable: all changes are made, but those of these steps. */
  commit(failed: readonly number[]): void;
  /** It is not needed any more. */
  end(): void;
  /** The next command finishes what it says. */
  leave(): void;
}

/** A transaction under way. The state that counts is on the disk; this is only what is still to be finished. */
export interface Work {
  readonly transaction: Transaction;
  readonly tree: TreeFs;
  readonly dot: string;
  readonly folder: string;
  readonly journal: OpenJournal;
  readonly special: boolean;
  /** Steps of which the journal says so; of a folder's move: that it is done piece by piece. */
  readonly creating: Set<number>;
  /** What the disk shows counts, not what was planned: after a kill, and in the second try of what was refused. */
  replaying: boolean;
  /** It is the second try: nobody else ran in between. */
  again: boolean;
  /** Steps that the system refused. */
  readonly refused: Set<number>;
  /** Folders that were made anew in another place, by the inode of the old one. */
  readonly remade: Map<bigint, bigint>;
  /** Names in staging for what left them (`t<n>`), up to here. */
  apart: number;
  readonly results: StepResult[];
  /** Files whose times are still to be set. */
  readonly touches: { readonly path: FsPath; readonly inode: bigint; readonly mtimeNs: bigint }[];
  /** Folders that were made, whose modes are set when all is in them. */
  readonly folders: { readonly path: FsPath; readonly mode: number }[];
  /** Folders whose names are not durable yet. */
  readonly dirty: Set<FsPath>;
  /** Change times that this transaction itself gave to inodes: other names of theirs have them too. */
  readonly ours: Map<bigint, bigint>;
  stopped: BkError | undefined;
}

export type PuttingStep = Extract<Step, { do: 'place' | 'symlink' }>;

/** The file cannot get a second name there: copy it. */
export const NO_LINK = new Set(['EPERM', 'EXDEV', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES']);

export interface Place {
  readonly path: FsPath;
  readonly folder: Folder;
  readonly name: FsName;
}

export function place(work: Work, path: RepoPath): Place {
  const whole = decodePath(path);
  const { folder, name } = split(whole);
  return { path: whole, folder: work.tree.openFolder(folder), name };
}

/** A folder, or undefined if there is none by that path (any more), or a symlink or file stands in the way. */
export function openIfThere(tree: TreeFs, path: FsPath): Folder | undefined {
  try {
    return tree.openFolder(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error))) return undefined;
    throw error;
  }
}

export function sourceOf(work: Work, step: PuttingStep, n: number): string {
  return step.do === 'place' ? path.join(work.dot, step.content.source) : path.join(work.folder, `s${n}`);
}

export function isExpected(there: fs.BigIntStats, expect: Expectation): boolean {
  if (expect.is === 'absent') return false;
  if (there.isDirectory()) return sameInode(there.ino, expect.inode);
  return sameFile(there, expect) && there.ctimeNs === expect.ctimeNs;
}

/** The folder that is meant, or what was made of it in another place. */
export function isFolder(work: Work, there: fs.BigIntStats, expected: bigint): boolean {
  if (!there.isDirectory()) return false;
  return sameInode(there.ino, expected) || work.remade.get(BigInt.asUintN(64, expected)) === there.ino;
}

/**
 * As isExpected; but a change time that we made ourselves is no change. A replay does not know which those were: there
 * the content decides.
 */
export function isExpectedNow(work: Work, at: Place, there: fs.BigIntStats, expect: Expectation): boolean {
  if (isExpected(there, expect)) return true;
  if (expect.is === 'absent') return false;
  if (there.isDirectory()) return isFolder(work, there, expect.inode);
  if (!sameFile(there, expect)) return false;
  if (work.ours.get(there.ino) === there.ctimeNs) return true;
  return work.replaying && expect.blake3 !== undefined && contentAt(work, at, there) === expect.blake3;
}

/** Its change time is ours. */
export function remember(work: Work, { ino, ctimeNs, nlink }: fs.BigIntStats): void {
  if (nlink > 1n) work.ours.set(ino, ctimeNs);
}

export function isHeld(tree: TreeFs, { folder }: Place): boolean {
  return tree.holds(folder);
}

function contentAt(work: Work, at: Place, there: fs.BigIntStats): ContentHash | undefined {
  if (there.isSymbolicLink()) return hashBytes(Buffer.from(work.tree.readLink(at.folder, at.name), 'latin1'));
  if (!there.isFile()) return undefined;
  const fd = work.tree.openFile(at.folder, at.name);
  try {
    return hashDescriptor(fd).hash;
  } finally {
    fs.closeSync(fd);
  }
}

/** The rename into `.bk` itself changed its ctime. */
export function sameFile(there: fs.BigIntStats, expect: EntryExpectation): boolean {
  const same = sameInode(there.ino, expect.inode) && there.size === BigInt(expect.size);
  return same && there.mtimeNs === expect.mtimeNs && !there.isDirectory();
}

/** Inodes are kept as signed 64-bit numbers in places. */
export function sameInode(a: bigint, b: bigint): boolean {
  return BigInt.asUintN(64, a) === BigInt.asUintN(64, b);
}

/** Permissions as recorded. Set-uid and set-gid that the file already has may stay; they are given only if that is wanted. */
export function setMode(work: Work, at: Place, there: fs.BigIntStats, mode: number): void {
  const now = Number(there.mode & 0o7777n);
  const wanted = work.special ? mode : (mode & 0o1777) | (mode & now & 0o6000);
  if (now === wanted) return;
  try {
    work.tree.setMode(at.folder, at.name, { inode: there.ino, mode: wanted, special: true });
  } catch (error) {
    if (!KEEPS_NONE.has(codeOf(error))) throw error;
  }
}

export function done(step: Step): StepResult {
  return { step, outcome: 'done', path: step.path };
}

export function conflict(step: Step, reason: string): StepResult {
  return { step, outcome: 'conflict', path: step.path, reason };
}

export function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}

/** Why a step could not be done, for people. */
export function reasonOf(error: unknown): string {
  if (error instanceof BkError) return error.message;
  return REASONS[codeOf(error)] ?? codeOf(error);
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOENT: 'its folder is not there',
  ENOTDIR: 'a file stands where its folder should be',
  ELOOP: 'a link stands where its folder should be',
  ENAMETOOLONG: 'the file system does not take so long a name',
  EINVAL: 'the file system does not take this name',
  EXDEV: 'it is on another file system',
  EBUSY: 'it is in use',
  EMLINK: 'there are too many links to it',
};
