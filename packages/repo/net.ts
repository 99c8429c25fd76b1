import { type ContentHash, PROTECTION, type Protection, type Report, type RepoPath } from '@bk/core';
import { SafetyNet, settingsOf } from '@bk/store';
import { bytePath } from '@bk/worktree';
import { placeOf, statsOf } from './contents.ts';
import type { Found } from './draft.ts';
import type { Pool } from './pool.ts';
import { CHANGED, type LookAgainTask } from './protect.ts';
import type { Repository } from './repository.ts';

/** A file whose content is to be kept. */
export interface Keep {
  readonly found: Found;
  readonly size: number;
  readonly blake3: ContentHash;
  /** What the inode held when it was linked before, if it was written over in place since. */
  readonly overwritten?: ContentHash;
}

export interface Kept {
  readonly protection: Protection;
  /** STAT columns now. */
  readonly stats: BigInt64Array;
  readonly at: number;
  readonly observedNs: bigint;
}

export interface Extended {
  readonly kept: ReadonlyMap<RepoPath, Kept>;
  /** Files that are not what was hashed any more. */
  readonly changed: readonly RepoPath[];
}

export const NOTHING_KEPT: Extended = { kept: new Map(), changed: [] };

/** From here on threads pay. */
const MANY = 1_000;
/** A pause before the second look: change times that links made are then older than the clock's grain. */
const GRAIN_MS = 25;
const LINK_BATCH = 4_096;

/** Extends the safety net: all contents first, durably, then a second look at every file. */
export async function extendNet(repo: Repository, keeps: readonly Keep[], use: { pool: Pool; report: Report }): Promise<Extended> {
  const kept = new Map<RepoPath, Kept>();
  const changed: RepoPath[] = [];
  if (keeps.length === 0) return { kept, changed };
  const copyLimit = settingsOf(repo.config)['safety.copyLimit'];
  const net = new SafetyNet(repo.layout, { copyLimit });
  net.makeFolders();
  const root = bytePath(repo.layout.root);
  for (const { found, overwritten } of keeps) {
    if (overwritten === undefined) continue;
    net.dropOverwritten(overwritten, BigInt.asUintN(64, found.inode), Buffer.from(`${root}/${placeOf(found)}`, 'latin1'));
  }
  if (keeps.length > MANY) use.pool.start();
  const done: { batch: readonly Keep[]; task: LookAgainTask }[] = [];
  // One thread at a time: two that make links in one file system wait for each other, and this one has records to write.
  for (let at = 0; at < keeps.length; at += LINK_BATCH) {
    const batch = keeps.slice(at, at + LINK_BATCH);
    const task = {
      root,
      safety: repo.layout.safety,
      staging: repo.layout.staging,
      copyLimit,
      paths: batch.map(({ found }) => placeOf(found)).join('\0'),
      hashes: Buffer.from(batch.map(({ blake3 }) => blake3).join(''), 'hex'),
      stats: statsOf(batch.map(({ found }) => found)),
    };
    const { codes, touched } = await use.pool.run('protect', task);
    touched.forEach((is, i) => void (net.touched[i]! |= is));
    done.push({ batch, task: { ...task, codes } });
    use.report({ phase: 'protect', files: at + batch.length, bytes: 0, totalFiles: keeps.length });
  }
  net.makeDurable();
  if (done.some(({ task }) => task.codes.includes(PROTECTION.link))) await pause(GRAIN_MS);
  await Promise.all(
    done.map(async ({ batch, task }) => {
      const { codes, stats, observedNs } = await use.pool.run('lookAgain', task);
      batch.forEach(({ found }, i) => {
        if (codes[i] === CHANGED) changed.push(found.path);
        else kept.set(found.path, { protection: codes[i] as Protection, stats, at: i, observedNs });
      });
    }),
  );
  return { kept, changed };
}

/** Whether a file is protected already: nothing was written since its content was linked. */
export function isProtected(protection: Protection): boolean {
  return protection !== PROTECTION.none;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
