import fs from 'node:fs';
import path from 'node:path';
import {
  type ContentHash,
  decodePath,
  type FsPath,
  KIND,
  type KnownDirectory,
  PROTECTION,
  parentOf,
  type RepoPath,
  ROOT,
  STAT,
  STAT_WIDTH,
  timeNs,
} from '@bk/core';
import { VerifiedTimes } from '@bk/store';
import { bytePath, nodePath, putStat, volumeOf, withPlace } from '@bk/worktree';
import { entryPath } from '../observe/draft.ts';
import { type Ground, groundOf } from '../observe/ground.ts';
import { LiveTree } from '../observe/live-tree.ts';
import type { Repository } from '../repository.ts';
import type { SeenAhead } from './ahead.ts';

/** What is in the way to a folder: nothing, or it is not there (any more, or now). */
type Way = 'free' | 'blocked';

/**
 * What this repository holds now. Its last presence says what it held, so each file that is relied on is looked at: it
 * counts if its stat is the one under which the index last knew its content; where that proves nothing (a new index, a
 * file written within the clock's grain) it is read. Changed and uncommitted files do not count.
 */
export class HereNow {
  /** Volume of the files whose device is that of the root. */
  readonly volume: string;
  readonly #root: string;
  readonly #device: bigint;
  readonly #ground: Ground;
  readonly #ways = new Map<RepoPath, Way>();
  readonly #volumes = new Map<bigint, string>();
  readonly #ahead: SeenAhead | undefined;
  /** Rot keeps the stat: of these every file is read. */
  readonly #rotten: ReadonlySet<ContentHash>;
  #tree: LiveTree | undefined;

  /** @param ahead what was looked at already */
  constructor(repo: Pick<Repository, 'layout'>, volume: string, ahead?: SeenAhead) {
    this.#ahead = ahead;
    this.volume = volume;
    this.#root = repo.layout.root;
    this.#rotten = VerifiedTimes.rottenIn(repo.layout.index);
    this.#ground = groundOf(repo.layout.root);
    this.#device = fs.lstatSync(repo.layout.root, { bigint: true }).dev;
  }

  /** To be told of every row, in the order of paths: what was a mount point and is none now shows what lies under it. */
  passing(folder: RepoPath, { mount }: KnownDirectory): void {
    if (mount && folder !== ROOT && !this.#ground.mounts.has(decodePath(folder)))
      this.#ways.set(folder, 'blocked');
  }

  /** The volume on which entry `k` of a row is now, with the content that the row says; undefined: it is not here. */
  volumeOf(folder: RepoPath, known: KnownDirectory, k: number, blake3: ContentHash): string | undefined {
    if (known.protections[k] === PROTECTION.absent || this.#way(folder) === 'blocked') return undefined;
    const isRotten = this.#rotten.has(blake3);
    if (!isRotten && this.#ahead?.get(folder)?.[k] === 1) return this.volume;
    const at = entryPath(folder, known.listing, k);
    const now = this.#look(decodePath(at));
    if (now === undefined || !isOfKind(now, known.listing.kinds[k])) return undefined;
    const isVouched = !isRotten && this.#isVouched(now, known, k);
    if (!isVouched && !this.#isRead(at, blake3)) return undefined;
    return now.dev === this.#device ? this.volume : this.#otherVolume(at, now.dev);
  }

  close(): void {
    this.#tree?.close();
  }

  #look(place: FsPath): fs.BigIntStats | undefined {
    try {
      return withPlace(bytePath(this.#root), place, (at) =>
        fs.lstatSync(nodePath(at), { bigint: true, throwIfNoEntry: false }),
      );
    } catch (error) {
      // What cannot be looked at cannot be relied on.
      if (UNSEEN.has(String((error as NodeJS.ErrnoException).code))) return undefined;
      throw error;
    }
  }

  /** Links are never followed: behind one lies another place, perhaps another disk. */
  #way(folder: RepoPath): Way {
    const known = this.#ways.get(folder);
    if (known !== undefined) return known;
    const above = folder === ROOT ? 'free' : this.#way(parentOf(folder));
    const isFolder = above === 'free' && this.#look(decodePath(folder))?.isDirectory() === true;
    const way = isFolder ? 'free' : 'blocked';
    this.#ways.set(folder, way);
    return way;
  }

  #isVouched(now: fs.BigIntStats, { listing, observedNs }: KnownDirectory, k: number): boolean {
    const { trust } = this.#ground;
    const then = listing.stats.subarray(k * STAT_WIDTH, (k + 1) * STAT_WIDTH);
    const ctime = then[STAT.ctime]!;
    if (!trust.stats || ctime === 0n || timeNs(ctime) > observedNs - trust.grainNs) return false;
    putStat(columns, 0, now);
    const compared = trust.inodes ? WITH_INODES : WITHOUT;
    return compared.every((column) => columns[column] === then[column]);
  }

  #isRead(at: RepoPath, blake3: ContentHash): boolean {
    this.#tree ??= new LiveTree(this.#root);
    return this.#tree.content(at) === blake3;
  }

  /** Something is mounted below the root. */
  #otherVolume(at: RepoPath, device: bigint): string {
    let volume = this.#volumes.get(device);
    if (volume === undefined) {
      volume = this.#mountedVolume(decodePath(at)) ?? `device-${device}`;
      this.#volumes.set(device, volume);
    }
    return volume;
  }

  #mountedVolume(place: FsPath): string | undefined {
    const over = [...this.#ground.mounts].filter((mount) => place.startsWith(`${mount}/`));
    const nearest = over.reduce((best, mount) => (mount.length > best.length ? mount : best), '');
    if (nearest === '') return undefined;
    try {
      return volumeOf(path.join(this.#root, Buffer.from(nearest, 'latin1').toString())).uuid;
    } catch (error) {
      if (UNSEEN.has(String((error as NodeJS.ErrnoException).code))) return undefined;
      throw error;
    }
  }
}

const UNSEEN = new Set(['ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ENOENT', 'ESTALE', 'EIO']);
const columns = new BigInt64Array(STAT_WIDTH);
const WITHOUT = [STAT.size, STAT.mtime, STAT.ctime] as const;
const WITH_INODES = [...WITHOUT, STAT.inode, STAT.birth] as const;

function isOfKind(now: fs.BigIntStats, kind: number | undefined): boolean {
  return kind === KIND.file ? now.isFile() : kind === KIND.symlink && now.isSymbolicLink();
}
