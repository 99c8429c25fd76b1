import fs from 'node:fs';
import {
  type ContentHash,
  decodePath,
  type FsPath,
  type GitId,
  HASH_BYTES,
  KIND,
  type KnownDirectory,
  PROTECTION,
  parseRecord,
  type RepoPath,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import type { HistoryReader, Verified } from '@bk/store';
import { bytePath, nodePath, putStat, type ReadResult, reasonOf } from '@bk/worktree';
import type { Context } from '../context.ts';
import { entryPath, hashAt, recordAt } from '../observe/draft.ts';
import { type Ground, groundOf } from '../observe/ground.ts';
import { Pool } from '../observe/pool.ts';
import type { Repository } from '../repository.ts';
import { batches, type Candidate, columns } from './select.ts';

export interface VerifyFinding {
  readonly path: RepoPath;
  /** The content that the head has there. */
  readonly blake3: ContentHash;
  readonly size: number;
  /** Of an unreadable one, why. */
  readonly reason?: string;
}

export interface VerifyResult {
  /** Files looked at, and bytes read. */
  readonly checked: number;
  readonly bytes: number;
  readonly ok: number;
  /** Content changed though size, time and inode did not. */
  readonly rot: readonly VerifyFinding[];
  /** Edited since the last commit. */
  readonly changed: readonly VerifyFinding[];
  readonly missing: readonly VerifyFinding[];
  readonly unreadable: readonly VerifyFinding[];
}

export interface Reading {
  /** ms since 1970. */
  readonly until: number;
  readonly known: (folder: RepoPath) => KnownDirectory | undefined;
  readonly note: (good: readonly Verified[]) => void;
  /** Told of what rotted or cannot be read as soon as it is found, so that nobody relies on it. */
  readonly warn?: (rotten: readonly ContentHash[]) => void;
}

/** Work for which threads pay. */
const MUCH_BYTES = 64 << 20;
const MANY_FILES = 2_000;

type Outcome = 'rot' | 'changed' | 'missing' | 'unreadable';

/** One file of a batch. */
interface Item extends VerifyFinding {
  readonly place: FsPath;
  readonly id: Uint8Array;
  readonly hash: Uint8Array;
  readonly link: boolean;
  readonly now: fs.BigIntStats;
  /** Size, time and inode are as the index has them. */
  readonly same: boolean;
  /** Something was written, be it a mode: the change time is not what the index has. */
  readonly touched: boolean;
  readonly record: GitId;
}

/** One run: looks at each file, has it read, and judges what came out. */
export class Verification {
  readonly #root: string;
  readonly #ground: Ground;
  readonly #context: Context;
  readonly #history: HistoryReader;
  readonly #pool: Pool;
  readonly #folders = new Map<string, string>();
  readonly #found: Record<Outcome, VerifyFinding[]> = { rot: [], changed: [], missing: [], unreadable: [] };
  #ok = 0;
  #bytes = 0;
  #total = { totalFiles: 0, totalBytes: 0 };

  constructor(repo: Repository, context: Context) {
    this.#root = bytePath(repo.layout.root);
    this.#ground = groundOf(repo.layout.root);
    this.#history = repo.history;
    this.#context = context;
    this.#pool = new Pool();
  }

  async read(candidates: readonly Candidate[], reading: Reading): Promise<void> {
    this.#total = {
      totalFiles: candidates.length,
      totalBytes: candidates.reduce((sum, { size }) => sum + size, 0),
    };
    if (candidates.length > MANY_FILES || this.#total.totalBytes > MUCH_BYTES) this.#pool.start();
    const running = new Set<Promise<void>>();
    for (const batch of batches(candidates)) {
      if (this.#context.nowMs() >= reading.until) break;
      const work: Promise<void> = this.#batch(batch, reading).finally(() => running.delete(work));
      running.add(work);
      if (running.size > this.#pool.threads * 2) await Promise.race(running);
    }
    await Promise.all(running);
  }

  close(): void {
    this.#pool.close();
  }

  result(): VerifyResult {
    const found = this.#found;
    for (const list of Object.values(found)) list.sort((a, b) => (a.path < b.path ? -1 : 1));
    return { checked: this.#checked, bytes: this.#bytes, ok: this.#ok, ...found };
  }

  get #checked(): number {
    return Object.values(this.#found).reduce((sum, list) => sum + list.length, this.#ok);
  }

  async #batch(batch: readonly Candidate[], reading: Reading): Promise<void> {
    const items = batch.flatMap((one) => this.#look(one, reading.known(one.folder)) ?? []);
    if (items.length > 0) {
      const stats = new BigInt64Array(items.length * STAT_WIDTH);
      items.forEach(({ now }, i) => void putStat(stats, i, now));
      const links = Uint8Array.from(items, ({ link }) => (link ? 1 : 0));
      const paths = items.map(({ place }) => place).join('\0');
      const read = await this.#pool.run('read', { root: this.#root, paths, links, stats });
      this.#judge(items, read, { ...reading, rewritten: await this.#rewritten(items, read) });
    }
    this.#context.report({ phase: 'verify', files: this.#checked, bytes: this.#bytes, ...this.#total });
  }

  /** Looks at a file before it is read; undefined if that says it all. */
  #look({ folder, k }: Candidate, known: KnownDirectory | undefined): Item | undefined {
    if (known === undefined || k >= known.listing.names.length) return undefined; // a commit moved on meanwhile
    if (known.protections[k] === PROTECTION.absent) return undefined; // it was dropped meanwhile
    const path = entryPath(folder, known.listing, k);
    const place = decodePath(path);
    const finding = {
      path,
      blake3: hashAt(known, k),
      size: Number(known.listing.stats[k * STAT_WIDTH + STAT.size]),
    };
    const obstacle = this.#obstacle(decodePath(folder), known.mount);
    if (obstacle === '') return this.#report('missing', finding);
    if (obstacle !== undefined) return this.#report('unreadable', { ...finding, reason: obstacle });
    let now: fs.BigIntStats | undefined;
    try {
      now = fs.lstatSync(nodePath(`${this.#root}/${place}`), { bigint: true, throwIfNoEntry: false });
    } catch (error) {
      return this.#report('unreadable', { ...finding, reason: reasonOf(error) });
    }
    if (now === undefined) return this.#report('missing', finding);
    const link = known.listing.kinds[k] === KIND.symlink;
    if (link ? !now.isSymbolicLink() : !now.isFile()) return this.#report('changed', finding);
    if (now.size !== BigInt(finding.size)) return this.#report('changed', finding);
    const { id, blake3: hash } = columns(known, k);
    const { stats } = known.listing;
    const touched = stats[k * STAT_WIDTH + STAT.ctime] !== BigInt.asIntN(64, now.ctimeNs);
    const same = this.#isSame(now, stats, k);
    return { ...finding, place, id, hash, link, now, same, touched, record: recordAt(known, k) };
  }

  #report(outcome: Outcome, { path, blake3, size, reason }: VerifyFinding): undefined {
    this.#found[outcome].push({ path, blake3, size, ...(reason !== undefined && { reason }) });
  }

  #isSame(now: fs.BigIntStats, stats: BigInt64Array, k: number): boolean {
    const inode = stats[k * STAT_WIDTH + STAT.inode];
    const sameInode = inode === 0n || !this.#ground.trust.inodes || inode === BigInt.asIntN(64, now.ino);
    return sameInode && stats[k * STAT_WIDTH + STAT.mtime] === now.mtimeNs;
  }

  /** Why nothing in a folder can be read: '' if the folder is gone, undefined if it can. Links are not followed. */
  #obstacle(folder: string, mount: boolean): string | undefined {
    if (mount && !this.#ground.mounts.has(folder as FsPath)) return 'offline: nothing is mounted here now';
    if (folder === '') return undefined;
    let known = this.#folders.get(folder);
    if (known === undefined) {
      const slash = folder.lastIndexOf('/');
      known =
        this.#obstacle(slash < 0 ? '' : folder.slice(0, slash), false) ?? this.#folderFlaw(folder) ?? NONE;
      this.#folders.set(folder, known);
    }
    return known === NONE ? undefined : known;
  }

  #folderFlaw(folder: string): string | undefined {
    try {
      const stat = fs.lstatSync(nodePath(`${this.#root}/${folder}`), { throwIfNoEntry: false });
      return stat?.isDirectory() === true ? undefined : '';
    } catch (error) {
      return reasonOf(error);
    }
  }

  /**
   * Media whose tags somebody wrote though he put the time back, as players do: pixels or sound are the head's. A failing
   * disk moves no change time.
   */
  async #rewritten(items: readonly Item[], { hashes, failures }: ReadResult): Promise<ReadonlySet<Item>> {
    const unread = new Set(failures.map(([i]) => i));
    const open = items.filter(
      (item, i) => item.same && item.touched && !item.link && !unread.has(i) && !isHash(hashes, i, item.hash),
    );
    const payloads = new Map<Item, ContentHash>();
    for (const item of open) {
      const { hashes: recorded } = parseRecord(this.#history.readBlobText(item.record));
      if (recorded?.['payload'] !== undefined) payloads.set(item, recorded['payload']);
    }
    const media = [...payloads.keys()];
    if (media.length === 0) return new Set();
    const stats = new BigInt64Array(media.length * STAT_WIDTH);
    media.forEach(({ now }, i) => void putStat(stats, i, now));
    const paths = media.map(({ place }) => place).join('\0');
    const links = new Uint8Array(media.length);
    const { facts } = await this.#pool.run('readMedia', { root: this.#root, paths, links, stats });
    const now = new Map(facts);
    return new Set(
      media.filter((item, i) => {
        const payload = now.get(i)?.payload;
        return payload !== undefined && payload === payloads.get(item);
      }),
    );
  }

  #judge(
    items: readonly Item[],
    { hashes, failures }: ReadResult,
    { note, warn, rewritten }: Reading & { readonly rewritten: ReadonlySet<Item> },
  ): void {
    const reasons = new Map(failures);
    const timeMs = this.#context.nowMs();
    const good: Verified[] = [];
    const rotten: ContentHash[] = [];
    for (const [i, item] of items.entries()) {
      const reason = reasons.get(i);
      if (reason !== undefined) {
        this.#report('unreadable', { ...item, reason });
        rotten.push(item.blake3);
        continue;
      }
      this.#bytes += item.size;
      if (!isHash(hashes, i, item.hash)) {
        const isRot = item.same && !rewritten.has(item);
        this.#report(isRot ? 'rot' : 'changed', item);
        if (isRot) rotten.push(item.blake3);
        continue;
      }
      this.#ok++;
      good.push({ id: item.id, blake3: item.hash, timeMs });
    }
    if (rotten.length > 0) warn?.(rotten);
    if (good.length > 0) note(good);
  }
}

function isHash(hashes: Uint8Array, i: number, hash: Uint8Array): boolean {
  return Buffer.compare(hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES), hash) === 0;
}

/** Stands in a map for "nothing is in the way". */
const NONE = '\0';
