import type fs from 'node:fs';
import { type ContentHash, KIND, type Listing, type RepoPath, STAT, STAT_WIDTH, timeNs } from '@bk/core';
import { VerifiedTimes } from '@bk/store';
import { putStat } from '@bk/worktree';
import { hashAt } from '../observe/draft.ts';
import { type Ground, groundOf } from '../observe/ground.ts';
import type { HeadEntry } from '../observe/head-entries.ts';
import { LiveTree, typeOfStat } from '../observe/live-tree.ts';

/** A file or link that is on the disk just as the head has it. */
export interface AsRecorded {
  readonly path: RepoPath;
  readonly type: 'file' | 'symlink';
  readonly blake3: ContentHash;
  readonly size: number;
  readonly stat: fs.BigIntStats;
}

/** Says of files of the head whether they are what it says, by their stat and, in any doubt, by reading them (L06). */
export class Checking {
  readonly #tree: LiveTree;
  readonly #root: string;
  /** Rot keeps the stat: of these every file is read. */
  readonly #rotten: ReadonlySet<ContentHash>;
  #ground: Ground | undefined;

  constructor({ root, index }: { readonly root: string; readonly index: string }) {
    this.#root = root;
    this.#rotten = VerifiedTimes.rottenIn(index);
    this.#tree = new LiveTree(root);
  }

  /** A text: it is not, and why. */
  check({ path, known, k }: HeadEntry): AsRecorded | string {
    const { listing } = known;
    const stat = this.#tree.stat(path);
    if (stat === undefined) return 'it is gone, and no commit says so';
    const type = listing.kinds[k] === KIND.symlink ? 'symlink' : 'file';
    const blake3 = hashAt(known, k);
    const size = Number(listing.stats[k * STAT_WIDTH + STAT.size]);
    const now = new BigInt64Array(STAT_WIDTH);
    putStat(now, 0, stat);
    if (typeOfStat(stat) !== type || !isAsListed(stat, now, listing, k)) return CHANGED;
    const vouched =
      !this.#rotten.has(blake3) && this.#vouches(now, listing, { k, observedNs: known.observedNs });
    if (!vouched && this.#tree.content(path) !== blake3) return CHANGED;
    return { path, type, blake3, size, stat };
  }

  isThere(path: RepoPath): boolean {
    return this.#tree.stat(path) !== undefined;
  }

  close(): void {
    this.#tree.close();
  }

  #vouches(
    now: BigInt64Array,
    { stats }: Listing,
    { k, observedNs }: { k: number; observedNs: bigint },
  ): boolean {
    this.#ground ??= groundOf(this.#root);
    const { trust } = this.#ground;
    const base = k * STAT_WIDTH;
    const ctime = stats[base + STAT.ctime]!;
    if (!trust.stats || !trust.inodes || ctime === 0n || timeNs(ctime) > observedNs - trust.grainNs)
      return false;
    return PROVING.every((column) => now[column] === stats[base + column]);
  }
}

const CHANGED = 'it has changes that are not committed';
const PROVING = [STAT.inode, STAT.birth, STAT.size, STAT.mtime, STAT.ctime];

function isAsListed(stat: fs.BigIntStats, now: BigInt64Array, { modes, stats }: Listing, k: number): boolean {
  const base = k * STAT_WIDTH;
  if (now[STAT.size] !== stats[base + STAT.size] || now[STAT.mtime] !== stats[base + STAT.mtime])
    return false;
  return stat.isSymbolicLink() || Number(stat.mode & 0o7777n) === modes[k];
}
