import { type ContentHash, decodePath, HASH_BYTES, KIND, type RepoPath } from '@bk/core';
import { decodeRow } from '@bk/store';
import { bytePath } from '@bk/worktree';
import { groundOf } from '../observe/ground.ts';
import type { Pool } from '../observe/pool.ts';
import type { Repository } from '../repository.ts';

/** By folder of the head: 1 for each entry that the index vouches for now. Of folders that are not in it nothing is known. */
export type SeenAhead = ReadonlyMap<RepoPath, Uint8Array>;

/** Folders looked at in one task. */
const BATCH = 32;

/**
 * Looks at the files that have one of many contents, in threads, so that they need not be looked at one by one: what is
 * not vouched for here is looked at again. Folders are compared whole.
 */
export async function lookAhead(
  repo: Repository,
  sought: ReadonlySet<ContentHash>,
  pool: Pool,
): Promise<SeenAhead> {
  const { trust, mounts } = groundOf(repo.layout.root);
  const seen = new Map<RepoPath, Uint8Array>();
  // Where something is mounted the device decides too.
  if (mounts.size > 0) return seen;
  const folders = foldersWith(repo, sought);
  const tasks: Promise<void>[] = [];
  for (let at = 0; at < folders.length; at += BATCH) {
    const batch = folders.slice(at, at + BATCH);
    const directories = batch.map(({ folder, row }) => ({ path: decodePath(folder), row }));
    const task = pool.run('look', { root: bytePath(repo.layout.root), trust, directories });
    tasks.push(
      task.then((reports) => {
        for (const [i, report] of reports.entries()) {
          const { folder, count } = batch[i]!;
          if (report.state === 'same') seen.set(folder, new Uint8Array(count).fill(1));
          else if (report.state === 'differs') seen.set(folder, byKnown(report, count));
        }
      }),
    );
  }
  await Promise.all(tasks);
  return seen;
}

interface WithRow {
  readonly folder: RepoPath;
  readonly row: Buffer;
  readonly count: number;
}

function foldersWith(repo: Repository, sought: ReadonlySet<ContentHash>): WithRow[] {
  const beginnings = new Set<number>();
  for (const blake3 of sought) beginnings.add(Number.parseInt(blake3.slice(0, 8), 16));
  const found: WithRow[] = [];
  for (const folder of repo.index.paths()) {
    const row = repo.index.row(folder);
    const known = row && decodeRow(row);
    if (row === undefined || known === undefined) continue; // whoever relies on it says that it is damaged
    const { listing, hashes } = known;
    const column = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength);
    const has = listing.names.some(
      (_, k) => k > 0 && listing.kinds[k] !== KIND.dir && beginnings.has(column.readUInt32BE(k * HASH_BYTES)),
    );
    if (has) found.push({ folder, row, count: listing.names.length });
  }
  return found;
}

function byKnown(
  { known, vouched }: { readonly known: Int32Array; readonly vouched: Uint8Array },
  count: number,
): Uint8Array {
  const seen = new Uint8Array(count);
  for (const [i, k] of known.entries()) if (k >= 0 && vouched[i] === 1) seen[k] = 1;
  return seen;
}
