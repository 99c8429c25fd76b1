import fs from 'node:fs';
import { type ContentHash, HASH_BYTES, PROTECTION, STAT, STAT_WIDTH } from '@bk/core';
import { SafetyNet } from '@bk/store';
import { nodePath, putStat } from '@bk/worktree';

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
    try {
      codes[i] = keeper.protect(nodePath(`${task.root}/${path}`), fileAt(task, i));
    } catch (error) {
      if (!GONE.has(String((error as NodeJS.ErrnoException).code))) throw error;
      codes[i] = CHANGED;
    }
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

/** A file that changed since it was hashed is not what its new name in the net says: the name is taken back. */
export function lookAgain(task: LookAgainTask): LookAgainResult {
  const observedNs = BigInt(Date.now()) * 1_000_000n;
  const codes = task.codes.slice();
  const stats = task.stats.slice();
  task.paths.split('\0').forEach((path, i) => {
    if (codes[i] === CHANGED) return;
    const now = fs.lstatSync(nodePath(`${task.root}/${path}`), { bigint: true, throwIfNoEntry: false });
    if (now !== undefined && isSame(now, task.stats, i)) {
      putStat(stats, i, now);
      return;
    }
    if (codes[i] === PROTECTION.link) netOf(task).unprotect(fileAt(task, i));
    codes[i] = CHANGED;
  });
  return { codes, stats, observedNs };
}

function fileAt(task: ProtectTask, i: number): { blake3: ContentHash; inode: bigint; size: number } {
  const hashes = Buffer.from(task.hashes.buffer, task.hashes.byteOffset, task.hashes.byteLength);
  return {
    blake3: hashes.toString('hex', i * HASH_BYTES, (i + 1) * HASH_BYTES) as ContentHash,
    inode: BigInt.asUintN(64, task.stats[i * STAT_WIDTH + STAT.inode]!),
    size: Number(task.stats[i * STAT_WIDTH + STAT.size]),
  };
}

const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES']);

function isSame(now: fs.BigIntStats, stats: BigInt64Array, i: number): boolean {
  const base = i * STAT_WIDTH;
  return (
    now.isFile() &&
    now.size === stats[base + STAT.size] &&
    now.mtimeNs === stats[base + STAT.mtime] &&
    BigInt.asIntN(64, now.ino) === stats[base + STAT.inode]
  );
}
