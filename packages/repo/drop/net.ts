import fs from 'node:fs';
import { type ContentHash, HASH_BYTES, KIND, PROTECTION, ROOT, STAT, STAT_WIDTH } from '@bk/core';
import type { SafetyEntry, SafetyNet } from '@bk/store';
import { hashPath } from '@bk/worktree';
import { entryPath } from '../observe/draft.ts';
import type { HeadEntry } from '../observe/head-entries.ts';
import type { Repository } from '../repository.ts';

/** Who else has these contents here: files of the head that are present, and versions that left and are kept. */
export class Claimants {
  /** Present files by content. */
  readonly files: ReadonlyMap<ContentHash, readonly HeadEntry[]>;
  readonly departed: ReadonlySet<ContentHash>;

  /** One pass over the index. */
  constructor(repo: Repository, wanted: ReadonlySet<ContentHash>) {
    this.files = filesWith(repo, wanted);
    const departed = repo.index.departed.unreleased().flatMap(({ blake3 }) => blake3 ?? []);
    this.departed = new Set(departed.filter((blake3) => wanted.has(blake3)));
  }
}

function filesWith(repo: Repository, wanted: ReadonlySet<ContentHash>): Map<ContentHash, HeadEntry[]> {
  const found = new Map<ContentHash, HeadEntry[]>();
  if (wanted.size === 0) return found;
  const first = new Set([...wanted].map((hash) => Number.parseInt(hash.slice(0, 8), 16)));
  for (const [folder, known] of repo.index.below(ROOT)) {
    const { listing, hashes, protections } = known;
    const column = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength);
    for (let k = 1; k < listing.names.length; k++) {
      if (listing.kinds[k] !== KIND.file || protections[k] === PROTECTION.absent) continue;
      if (!first.has(column.readUInt32BE(k * HASH_BYTES))) continue;
      const blake3 = column.toString('hex', k * HASH_BYTES, (k + 1) * HASH_BYTES) as ContentHash;
      if (!wanted.has(blake3)) continue;
      const entry = { path: entryPath(folder, listing, k), known, k };
      const others = found.get(blake3);
      if (others === undefined) found.set(blake3, [entry]);
      else others.push(entry);
    }
  }
  return found;
}

export function inodeOf({ known, k }: HeadEntry): bigint {
  return BigInt.asUintN(64, known.listing.stats[k * STAT_WIDTH + STAT.inode]!);
}

/**
 * Lets the net's entries of a content go, as far as nobody here needs them: not for a version that left and is kept, nor
 * for a file that stays. An entry that may hold something else than its name says stays too.
 * @param gone inodes that had the content, verified, and have left the tree
 */
export function releaseContent(
  net: SafetyNet,
  blake3: ContentHash,
  { gone, staying, departed }: { gone: ReadonlySet<bigint>; staying: readonly bigint[]; departed: boolean },
): void {
  if (departed) return;
  const entries = net.lookup(blake3).flatMap((entry) => {
    const stat = fs.lstatSync(entry.file, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? [] : [{ entry, stat }];
  });
  const names = new Map<bigint, bigint>();
  for (const { stat } of entries) names.set(stat.ino, (names.get(stat.ino) ?? 0n) + 1n);
  for (const { entry, stat } of entries) {
    // With a name of the inode outside the net nothing would be freed. After a restored backup two may be here.
    if (stat.nlink > (names.get(stat.ino) ?? 1n) || !isFree(entry, stat.ino, { gone, staying })) continue;
    net.release(entry);
  }
}

interface Whose {
  readonly gone: ReadonlySet<bigint>;
  readonly staying: readonly bigint[];
}

function isFree({ inode, file, blake3 }: SafetyEntry, ino: bigint, { gone, staying }: Whose): boolean {
  if (inode !== undefined && (staying.includes(inode) || staying.includes(ino))) return false;
  if (inode !== undefined && gone.has(ino)) return true;
  return staying.length === 0 && hashPath(file).hash === blake3;
}
