import {
  type ContentHash,
  type FsName,
  type GitId,
  KIND,
  type KnownDirectory,
  type ObjectId,
  PROTECTION,
  type RepoPath,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import type { IndexDb } from '@bk/store';
import type { Contents } from './contents.ts';
import { type Draft, type Found, hashAt } from './draft.ts';
import { RowBuilder } from './row-builder.ts';

/** How long hashes may wait to be kept: what an interruption can cost. */
const FLUSH_MS = 5_000;
const NO_ID = '00000000-0000-0000-0000-000000000000' as ObjectId;
const NO_RECORD = '0'.repeat(40) as GitId;

/** Hashes that were made for a commit which is not there yet: an interrupted one goes on where it was. */
export class PendingHashes {
  readonly #index: IndexDb;
  readonly #rows = new Map<RepoPath, KnownDirectory | undefined>();
  readonly #any: boolean;
  #waiting = new Map<Draft, { found: Found; hash: ContentHash }[]>();
  #since = Date.now();

  constructor(index: IndexDb) {
    this.#index = index;
    this.#any = index.hasPending();
  }

  /** The hash of a file that is the same by inode, birth time, size and mtime; linking it meanwhile was our own doing. */
  hashOf({ draft, at }: Found): ContentHash | undefined {
    if (!this.#any) return undefined;
    const row = this.#row(draft.path);
    const k = row?.listing.names.indexOf(draft.listing.names[at]!) ?? -1;
    if (row === undefined || k <= 0 || row.listing.kinds[k] !== draft.listing.kinds[at]) return undefined;
    const same = [STAT.inode, STAT.birth, STAT.size, STAT.mtime].every(
      (column) => row.listing.stats[k * STAT_WIDTH + column] === draft.listing.stats[at * STAT_WIDTH + column],
    );
    return same ? hashAt(row, k) : undefined;
  }

  /** Takes note of what was just read; now and then it is written down. */
  add(batch: readonly Found[], { hashes }: Contents): void {
    for (const found of batch) {
      const hash = hashes.get(found.path);
      if (hash === undefined || found.type !== 'file') continue;
      const waiting = this.#waiting.get(found.draft);
      if (waiting === undefined) this.#waiting.set(found.draft, [{ found, hash }]);
      else waiting.push({ found, hash });
    }
    if (Date.now() - this.#since < FLUSH_MS) return;
    this.#flush();
    this.#since = Date.now();
  }

  #flush(): void {
    const pending: [RepoPath, KnownDirectory][] = [];
    for (const [draft, entries] of this.#waiting) {
      const row = new RowBuilder();
      row.addFolder('.' as FsName, 0);
      const now = new Set(entries.map(({ found }) => draft.listing.names[found.at]!));
      const before = this.#row(draft.path);
      before?.listing.names.forEach((name, k) => {
        if (k > 0 && !now.has(name)) row.addKnown(before, k);
      });
      for (const { found, hash } of entries) {
        const name = draft.listing.names[found.at]! as FsName;
        const where = { stats: draft.listing.stats, at: found.at };
        row.add({ name, kind: KIND.file, mode: found.mode, ...where, hash, id: NO_ID, record: NO_RECORD, protection: PROTECTION.none });
      }
      const known = row.finish({ tree: NO_RECORD, observedNs: draft.observedNs, mount: false });
      this.#rows.set(draft.path, known);
      pending.push([draft.path, known]);
    }
    this.#index.write({ pending });
    this.#waiting = new Map();
  }

  #row(path: RepoPath): KnownDirectory | undefined {
    if (!this.#rows.has(path)) this.#rows.set(path, this.#index.pending(path));
    return this.#rows.get(path);
  }
}
