import fs from 'node:fs';
import { type ContentHash, HASH_BYTES, PROTECTION, STAT, STAT_WIDTH } from '@bk/core';
import { SafetyNet } from '@bk/store';
import { hashPath, nodePath, putStat, withPlace } from '@bk/worktree';

/** Files whose contents are to be kept in the safety net, as they were when they were hashed. */
export interface ProtectTask {
  /** Absolute byte string. */
  readonly root: string;
  readonly safety: string;
  readonly staging: string;
  readonly copyLimit: number;
  /** Paths below the root (byte strings), joined by NUL. */
  readonly paths: string;
  readonly hashes: Uint8Array;
  readonly stats: BigInt64Array;
}

export interface ProtectResult {
  /** How each is kept (PROTECTION), or CHANGED. */
  readonly codes: Uint8Array;
  /** Which folders of the net have new names. */
  readonly touched: Uint8Array;
}

/** The file is not the one that was hashed any more. */
export const CHANGED = 255;

let net: { readonly key: string; readonly net: SafetyNet } | undefined;

function netOf(task: ProtectTask): SafetyNet {
  const key = `${task.safety}\0${task.copyLimit}`;
  if (net?.key !== key) net = { key, net: new SafetyNet(task, { copyLimit: task.copyLimit }) };
  return net.net;
}

/** Keeps contents in the net. Afterwards `lookAgain` tells which files were still the ones that had been hashed. */
export function protectFiles(task: ProtectTask): ProtectResult {
  const keeper = netOf(task);
  const codes = new Uint8Array(task.hashes.length / HASH_BYTES);
  task.paths.split('\0').forEach((path, i) => {
    const protect = () => withPlace(task.root, path, (at) => keeper.protect(nodePath(at), fileAt(task, i)));
    codes[i] = unlessGone(() => unlessRefused(protect) ?? protect()) ?? CHANGED;
  });
  const touched = keeper.touched.slice();
  keeper.touched.fill(0);
  return { codes, touched };
}

export interface LookAgainTask extends ProtectTask {
  readonly codes: Uint8Array;
}

export interface LookAgainResult {
  readonly codes: Uint8Array;
  /** The stats now: making a link changed the change time. */
  readonly stats: BigInt64Array;
  /** ns since 1970, before the first file was looked at. */
  readonly observedNs: bigint;
}

/** A file that changed since it was hashed may not be what its new name in the net says: such a name is taken back. */
export function lookAgain(task: LookAgainTask): LookAgainResult {
  const observedNs = BigInt(Date.now()) * 1_000_000n;
  const codes = task.codes.slice();
  const stats = task.stats.slice();
  task.paths.split('\0').forEach((path, i) => {
    const code = codes[i];
    if (code === CHANGED) return;
    const now = lstat(task.root, path);
    if (now !== undefined && isSame(now, task.stats, i, code)) {
      putStat(stats, i, now);
      return;
    }
    if (code !== PROTECTION.none) takeBack(task, i);
    codes[i] = CHANGED;
  });
  return { codes, stats, observedNs };
}

function lstat(root: string, path: string): fs.BigIntStats | undefined {
  try {
    return withPlace(root, path, (at) => fs.lstatSync(nodePath(at), { bigint: true, throwIfNoEntry: false }));
  } catch (error) {
    if (!isGone(error)) throw error;
    return undefined;
  }
}

/**
 * An entry that holds what was hashed stays, whatever became of the file: a link that is still that inode, unwritten (it
 * may be the protection of the inode's other names), and a copy with the right bytes. A wrong copy would pass for the
 * protection of other files of that content: it goes.
 */
function takeBack(task: LookAgainTask, i: number): void {
  const net = netOf(task);
  const file = fileAt(task, i);
  if (task.codes[i] === PROTECTION.link) {
    const entry = net.lookup(file.blake3).find(({ inode }) => inode === file.inode);
    const now = entry && fs.lstatSync(entry.file, { bigint: true, throwIfNoEntry: false });
    if (now !== undefined && !isSame(now, task.stats, i, PROTECTION.link)) net.unprotect(file);
    return;
  }
  const copy = net.lookup(file.blake3).find(({ inode }) => inode === undefined);
  if (copy !== undefined && hashPath(copy.file).hash !== copy.blake3) net.release(copy);
}

function fileAt(task: ProtectTask, i: number): { blake3: ContentHash; inode: bigint; size: number } {
  const hashes = Buffer.from(task.hashes.buffer, task.hashes.byteOffset, task.hashes.byteLength);
  return {
    blake3: hashes.toString('hex', i * HASH_BYTES, (i + 1) * HASH_BYTES) as ContentHash,
    inode: BigInt.asUintN(64, task.stats[i * STAT_WIDTH + STAT.inode]!),
    size: Number(task.stats[i * STAT_WIDTH + STAT.size]),
  };
}

/** Undefined: the file cannot be had under its path any more. */
function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (!isGone(error)) throw error;
    return undefined;
  }
}

/** Undefined: refused, which on some file systems passes by itself. */
function unlessRefused<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (String((error as NodeJS.ErrnoException).code) !== 'EACCES') throw error;
    return undefined;
  }
}

const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES']);

/** The file cannot be had under its path any more. */
export function isGone(error: unknown): boolean {
  return GONE.has(String((error as NodeJS.ErrnoException).code));
}

/** Times are compared as columns: as such they wrap after 2262. Making a link changes the ctime, nothing else does. */
function isSame(stat: fs.BigIntStats, stats: BigInt64Array, i: number, code: number | undefined): boolean {
  const columns = code === PROTECTION.link ? LINKED : UNTOUCHED;
  putStat(looked, 0, stat);
  return stat.isFile() && columns.every((column) => looked[column] === stats[i * STAT_WIDTH + column]);
}

const looked = new BigInt64Array(STAT_WIDTH);
const LINKED = [STAT.inode, STAT.size, STAT.mtime];
const UNTOUCHED = [...LINKED, STAT.ctime];
