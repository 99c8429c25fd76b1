import { setTimeout } from 'node:timers/promises';
import {
  type ContentHash,
  decodePath,
  PROTECTION,
  type Protection,
  type RepoPath,
  STAT_WIDTH,
} from '@bk/core';
import { SafetyNet, settingsOf, syncFileSystem } from '@bk/store';
import { bytePath, putStat } from '@bk/worktree';
import { LiveTree } from '../observe/live-tree.ts';
import { Pool } from '../observe/pool.ts';
import type { Placed } from '../presence/absence.ts';
import type { Repository } from '../repository.ts';
import { CHANGED, type ProtectTask } from '../safety/protect.ts';

/** A file or link that was just placed, whole and verified. */
export interface PlacedFile {
  readonly path: RepoPath;
  readonly type: 'file' | 'symlink';
  readonly blake3: ContentHash;
  /** Bytes. */
  readonly size: number;
}

/** A pause before the second look: change times that links made are then older than the clock's grain. */
const GRAIN_MS = 25;

/**
 * Takes files that were just placed into the safety net, and looks at them for the index, so that it can vouch for them.
 * Those that are gone or were changed meanwhile are left out. Only while writing.
 */
export async function lookAtPlaced(repo: Repository, files: readonly PlacedFile[]): Promise<Placed[]> {
  const seen = look(repo, files);
  const contents = seen.filter(({ file }) => file.type === 'file' && file.size > 0);
  const others = seen.filter(({ file }) => file.type !== 'file' || file.size === 0);
  const plain = others.map(
    ({ file, stats, observedNs }): Placed => ({
      path: file.path,
      stats,
      observedNs,
      protection: PROTECTION.none,
    }),
  );
  return contents.length === 0 ? plain : [...(await protect(repo, contents)), ...plain];
}

interface Seen {
  readonly file: PlacedFile;
  readonly mode: number;
  readonly stats: BigInt64Array;
  readonly observedNs: bigint;
}

function look(repo: Repository, files: readonly PlacedFile[]): Seen[] {
  const tree = new LiveTree(repo.layout.root);
  try {
    return files.flatMap((file) => {
      const observedNs = BigInt(Date.now()) * 1_000_000n;
      const stat = tree.stat(file.path);
      const isIt = file.type === 'file' ? stat?.isFile() : stat?.isSymbolicLink();
      if (stat === undefined || isIt !== true || Number(stat.size) !== file.size) return [];
      const stats = new BigInt64Array(STAT_WIDTH);
      putStat(stats, 0, stat);
      return [{ file, stats, observedNs, mode: Number(stat.mode & 0o7777n) }];
    });
  } finally {
    tree.close();
  }
}

async function protect(repo: Repository, seen: readonly Seen[]): Promise<Placed[]> {
  const { layout } = repo;
  const copyLimit = settingsOf(repo.config)['safety.copyLimit'];
  const net = new SafetyNet(layout, { copyLimit });
  net.makeFolders();
  const task: ProtectTask = {
    root: bytePath(layout.root),
    safety: layout.safety,
    staging: layout.staging,
    copyLimit,
    paths: seen.map(({ file }) => decodePath(file.path)).join('\0'),
    hashes: Buffer.from(seen.map(({ file }) => file.blake3).join(''), 'hex'),
    stats: statsOf(seen),
  };
  const pool = new Pool();
  try {
    const { codes, touched } = await pool.run('protect', task);
    if (codes.includes(PROTECTION.reflink)) syncFileSystem(layout.safety);
    net.makeDurable(touched);
    if (codes.includes(PROTECTION.link)) await setTimeout(GRAIN_MS);
    const again = await pool.run('lookAgain', { ...task, codes });
    return seen.flatMap(({ file, mode }, i): Placed[] => {
      if (again.codes[i] === CHANGED) return [];
      const stats = again.stats.slice(i * STAT_WIDTH, (i + 1) * STAT_WIDTH);
      return [
        {
          path: file.path,
          mode,
          stats,
          observedNs: again.observedNs,
          protection: again.codes[i] as Protection,
        },
      ];
    });
  } finally {
    pool.close();
  }
}

function statsOf(seen: readonly Seen[]): BigInt64Array {
  const stats = new BigInt64Array(seen.length * STAT_WIDTH);
  seen.forEach((one, i) => void stats.set(one.stats, i * STAT_WIDTH));
  return stats;
}
