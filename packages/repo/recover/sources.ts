import fs from 'node:fs';
import {
  type ContentHash,
  type ContentSource,
  encodeName,
  type FsName,
  HASH_BYTES,
  joinPath,
  KIND,
  type PlacedContent,
  PROTECTION,
  type RepoPath,
  ROOT,
} from '@bk/core';
import { type SafetyEntry, SafetyNet } from '@bk/store';
import { hashPath } from '@bk/worktree';
import type { Decision } from '../observe/decide.ts';
import type { Repository } from '../repository.ts';

/** Where a content can be had: the safety net, or an equal content in the folder. */
export type From = 'safety' | 'folder';

export interface Source {
  readonly from: From;
  readonly entries: readonly SafetyEntry[];
  readonly paths: readonly RepoPath[];
}

/** What is to be found: the size of each content, and the times its files had. */
export type Sought = ReadonlyMap<ContentHash, { readonly size: number; readonly times: ReadonlySet<bigint> }>;

/** Asked for one file: the inode that it had, if that is known. */
export interface Asked {
  readonly blake3: ContentHash;
  readonly size: number;
  readonly inode: bigint;
}

/** Finds contents, and hands out the links of the net so that no two files that were two become one. */
export class Sources {
  readonly #net: SafetyNet;
  readonly #sought: Sought;
  readonly #here: ReadonlyMap<ContentHash, RepoPath[]>;
  readonly #found = new Map<ContentHash, Source | undefined>();
  /** Inode of the file that each handed out link is for. */
  readonly #given = new Map<string, bigint>();

  /** @param decision absent: the folder is not compared with the index; whoever uses a file of it hashes it */
  constructor(repo: Repository, decision: Decision | undefined, sought: Sought) {
    this.#net = new SafetyNet(repo.layout);
    this.#sought = sought;
    this.#here = contentsHere(repo, decision, sought);
  }

  of(blake3: ContentHash): Source | undefined {
    if (!this.#found.has(blake3)) this.#found.set(blake3, this.#find(blake3));
    return this.#found.get(blake3);
  }

  /** All places of a content, best first: its own inode's link, another free link, a copy. `link`: may inodes be shared with the net? */
  content(asked: Asked, link: boolean): PlacedContent | undefined {
    const source = this.of(asked.blake3);
    if (source === undefined) return undefined;
    const own = (entry: SafetyEntry) =>
      entry.inode !== undefined && entry.inode === BigInt.asUintN(64, asked.inode);
    const entries = [...source.entries].sort((a, b) => Number(own(b)) - Number(own(a)));
    const candidates: ContentSource[] = [];
    for (const entry of entries) {
      const how = link && this.#mayLink(entry, asked.inode) ? 'link' : 'copy';
      candidates.push({ source: entry.source, how });
    }
    const first = candidates[0];
    const entry = entries[0];
    if (first?.how === 'link' && entry !== undefined) this.#given.set(entry.file, asked.inode);
    for (const path of source.paths) candidates.push({ source: path, how: 'copy', tree: true });
    const [best, ...instead] = candidates;
    if (best === undefined) return undefined;
    return {
      ...best,
      blake3: asked.blake3,
      size: asked.size,
      instead: instead.map((other) => ({ ...other, how: 'copy' as const })),
    };
  }

  /** The net alone has the inode, and gives it to nobody else, unless both were names of that one inode before. */
  #mayLink(entry: SafetyEntry, inode: bigint): boolean {
    if (entry.inode === undefined) return false;
    const given = this.#given.get(entry.file);
    if (given !== undefined) return given !== 0n && given === inode;
    return fs.lstatSync(entry.file, { throwIfNoEntry: false })?.nlink === 1;
  }

  #find(blake3: ContentHash): Source | undefined {
    const entries = this.#net.lookup(blake3).filter((entry) => this.#holds(entry));
    const paths = this.#here.get(blake3) ?? [];
    if (entries.length + paths.length === 0) return undefined;
    return { from: entries.length > 0 ? 'safety' : 'folder', entries, paths };
  }

  /** A link may have been written through: if it has not the time that the file had, it is read before it is offered. */
  #holds(entry: SafetyEntry): boolean {
    const wanted = this.#sought.get(entry.blake3);
    const stat = fs.lstatSync(entry.file, { bigint: true, throwIfNoEntry: false });
    if (wanted === undefined || !stat?.isFile() || Number(stat.size) !== wanted.size) return false;
    if (entry.inode === undefined || wanted.times.has(stat.mtimeNs)) return true;
    return isIntact(entry);
  }
}

/** What cannot be read is nothing to rely on. */
function isIntact(entry: SafetyEntry): boolean {
  try {
    return hashPath(entry.file).hash === entry.blake3;
  } catch (error) {
    if (!['EACCES', 'EIO', 'ENOENT', 'ELOOP'].includes(String((error as NodeJS.ErrnoException).code)))
      throw error;
    return false;
  }
}

/** Files of the folder that have one of the contents, as far as index and scan know. They are hashed when they are used. */
function contentsHere(
  repo: Repository,
  decision: Decision | undefined,
  sought: Sought,
): Map<ContentHash, RepoPath[]> {
  const found = new Map<ContentHash, RepoPath[]>();
  if (sought.size === 0) return found;
  const add = (blake3: ContentHash | undefined, path: RepoPath): void => {
    if (blake3 === undefined || !sought.has(blake3)) return;
    const paths = found.get(blake3);
    if (paths === undefined) found.set(blake3, [path]);
    else if (paths.length < MOST && !paths.includes(path)) paths.push(path);
  };
  const changed = new Set<RepoPath>(decision?.identified.deleted.map(({ path }) => path));
  for (const { seen, object } of decision?.identified.entries ?? []) {
    changed.add(seen.path);
    if (object.kind === 'known') changed.add(object.tracked.path);
    if (seen.type === 'file') add(seen.blake3, seen.path);
  }
  for (const [folder, { listing, hashes, protections }] of repo.index.below(ROOT)) {
    const bytes = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength);
    for (let k = 1; k < listing.names.length; k++) {
      if (listing.kinds[k] !== KIND.file || protections[k] === PROTECTION.absent) continue;
      const blake3 = bytes.toString('hex', k * HASH_BYTES, (k + 1) * HASH_BYTES) as ContentHash;
      if (!sought.has(blake3)) continue;
      const path = joinPath(folder, encodeName(listing.names[k] as FsName));
      if (!changed.has(path)) add(blake3, path);
    }
  }
  return found;
}

/** So many places of one content are enough to find a good one. */
const MOST = 4;
