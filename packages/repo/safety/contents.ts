import {
  type ContentFacts,
  type ContentHash,
  encodeTarget,
  type FsPath,
  HASH_BYTES,
  type RepoPath,
  STAT_WIDTH,
} from '@bk/core';
import { bytePath, type ReadResult } from '@bk/worktree';
import type { Found } from '../observe/draft.ts';
import type { Pool } from '../observe/pool.ts';

/** What reading gave, by path. */
export interface Contents {
  readonly hashes: Map<RepoPath, ContentHash>;
  /** Targets of symlinks, encoded. */
  readonly targets: Map<RepoPath, string>;
  /** Of media, if they were asked for. */
  readonly facts: Map<RepoPath, ContentFacts>;
  readonly failures: Map<RepoPath, string>;
}

export interface ReadOptions {
  readonly root: string;
  readonly pool: Pool;
  /** Whether media facts are wanted, too. */
  readonly media: boolean;
  /** What is about to be read, before it begins. */
  readonly totals?: (files: number, bytes: number) => void;
  /** Hashes as they are made, to be kept in case of an interruption. */
  readonly onBatch?: (batch: readonly Found[], contents: Contents) => void;
}

const BATCH_FILES = 256;
const BATCH_BYTES = 32 * 1024 * 1024;
/** From here on threads pay. */
const MANY_FILES = 1_500;
const MANY_BYTES = 48 * 1024 * 1024;

/** Reads files and links, many at a time. */
export async function readFound(
  entries: readonly Found[],
  contents: Contents,
  options: ReadOptions,
): Promise<void> {
  const bytes = entries.reduce((sum, { size }) => sum + size, 0);
  options.totals?.(entries.length, bytes);
  if (entries.length > MANY_FILES || (bytes > MANY_BYTES && entries.length > 1)) options.pool.start();
  const root = bytePath(options.root);
  await Promise.all(
    batches(entries).map(async (batch) => {
      const result = await options.pool.run(options.media ? 'readMedia' : 'read', {
        root,
        paths: batch.map(placeOf).join('\0'),
        links: Uint8Array.from(batch, ({ type }) => (type === 'symlink' ? 1 : 0)),
        stats: statsOf(batch),
      });
      receive(batch, result, contents);
      options.onBatch?.(batch, contents);
    }),
  );
}

function receive(batch: readonly Found[], result: ReadResult, contents: Contents): void {
  const failed = new Map(result.failures);
  const hashes = Buffer.from(result.hashes.buffer, result.hashes.byteOffset, result.hashes.byteLength);
  batch.forEach(({ path }, i) => {
    const reason = failed.get(i);
    if (reason !== undefined) contents.failures.set(path, reason);
    else
      contents.hashes.set(path, hashes.toString('hex', i * HASH_BYTES, (i + 1) * HASH_BYTES) as ContentHash);
  });
  for (const [i, facts] of result.facts) contents.facts.set(batch[i]!.path, facts);
  for (const [i, target] of result.targets) contents.targets.set(batch[i]!.path, encodeTarget(target));
}

/** Cut so that no thread waits long for the last batch of another. */
export function batches<T extends { readonly size: number }>(entries: readonly T[]): T[][] {
  const all: T[][] = [];
  let batch: T[] = [];
  let bytes = 0;
  for (const entry of entries) {
    batch.push(entry);
    bytes += entry.size;
    if (batch.length < BATCH_FILES && bytes < BATCH_BYTES) continue;
    all.push(batch);
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) all.push(batch);
  return all;
}

/** Where a found entry is, below the root. */
export function placeOf(found: Found): FsPath {
  const name = found.draft.listing.names[found.at]!;
  return (found.draft.place === '' ? name : `${found.draft.place}/${name}`) as FsPath;
}

/** The stats of entries, one after the other, as their scan saw them. */
export function statsOf(entries: readonly Found[]): BigInt64Array {
  const stats = new BigInt64Array(entries.length * STAT_WIDTH);
  entries.forEach(({ draft, at }, i) => {
    stats.set(draft.listing.stats.subarray(at * STAT_WIDTH, (at + 1) * STAT_WIDTH), i * STAT_WIDTH);
  });
  return stats;
}
