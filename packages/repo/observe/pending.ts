import {
  type ContentFacts,
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
import { RowBuilder } from '../index/row-builder.ts';
import type { Contents } from '../safety/contents.ts';
import { type Draft, type Found, hashAt } from './draft.ts';

/** How long hashes may wait to be kept: what an interruption can cost. BK_FLUSH_MS: tests do not wait. */
const FLUSH_MS = Number(process.env['BK_FLUSH_MS'] ?? 5_000);
/** A file written so shortly before it was looked at can be written again without a trace in its times: FAT's step. */
const RACY_NS = 2_100_000_000n;
/** Rows that are kept at hand; for all of them there would not be the memory. */
const ROWS = 64;
const NO_ID = '00000000-0000-0000-0000-000000000000' as ObjectId;
const NO_RECORD = '0'.repeat(40) as GitId;

/** Hashes that were made for a commit which is not there yet: an interrupted one goes on where it was. */
export class PendingHashes {
  readonly #index: IndexDb;
  readonly #rows = new Map<RepoPath, Row | undefined>();
  #any: boolean;
  #waiting = new Map<Draft, Waiting[]>();
  #facts = new Map<ContentHash, ContentFacts>();
  #since = Date.now();

  constructor(index: IndexDb) {
    this.#index = index;
    this.#any = index.hasPending();
  }

  /** The hash of a file that is the same by inode, birth time, size and mtime; linking it meanwhile was our own doing. */
  hashOf({ draft, at }: Found): ContentHash | undefined {
    if (!this.#any) return undefined;
    const row = this.#row(draft.path);
    const k = row?.places.get(draft.listing.names[at]!);
    if (row === undefined || k === undefined) return undefined;
    const { listing } = row.known;
    if (listing.kinds[k] !== draft.listing.kinds[at]) return undefined;
    const same = [STAT.inode, STAT.birth, STAT.size, STAT.mtime].every(
      (column) => listing.stats[k * STAT_WIDTH + column] === draft.listing.stats[at * STAT_WIDTH + column],
    );
    return same ? hashAt(row.known, k) : undefined;
  }

  factsOf(hash: ContentHash): ContentFacts | undefined {
    return this.#index.pendingFacts(hash);
  }

  /** Takes note of what was just read; now and then it is written down. */
  add(batch: readonly Found[], { hashes, facts }: Contents): void {
    for (const found of batch) {
      const hash = hashes.get(found.path);
      if (hash === undefined || found.type !== 'file' || isRacy(found)) continue;
      const said = facts.get(found.path);
      if (said !== undefined) this.#facts.set(hash, said);
      const waiting = this.#waiting.get(found.draft);
      if (waiting === undefined) this.#waiting.set(found.draft, [{ found, hash }]);
      else waiting.push({ found, hash });
    }
    if (Date.now() - this.#since < FLUSH_MS) return;
    this.#flush();
    this.#since = Date.now();
  }

  #flush(): void {
    const pending = [...this.#waiting].map(
      ([draft, entries]) => [draft.path, this.#merged(draft, entries)] as const,
    );
    this.#index.write({ pending, pendingFacts: this.#facts });
    this.#waiting = new Map();
    this.#facts = new Map();
    this.#rows.clear();
    this.#any = true;
  }

  /** What was kept of a folder before, and what is new. */
  #merged(draft: Draft, entries: readonly Waiting[]): KnownDirectory {
    const row = new RowBuilder();
    row.addFolder('.' as FsName, 0);
    const now = new Set(entries.map(({ found }) => draft.listing.names[found.at]!));
    const before = this.#row(draft.path);
    for (const [name, k] of before?.places ?? []) if (!now.has(name)) row.addKnown(before!.known, k);
    for (const { found, hash } of entries) {
      const name = draft.listing.names[found.at]! as FsName;
      const where = { stats: draft.listing.stats, at: found.at };
      row.add({
        name,
        kind: KIND.file,
        mode: found.mode,
        ...where,
        hash,
        id: NO_ID,
        record: NO_RECORD,
        protection: PROTECTION.none,
      });
    }
    return row.finish({ tree: NO_RECORD, observedNs: draft.observedNs, mount: false });
  }

  #row(path: RepoPath): Row | undefined {
    if (this.#rows.has(path)) return this.#rows.get(path);
    if (this.#rows.size >= ROWS) this.#rows.clear();
    const known = this.#index.pending(path);
    const places = new Map(known?.listing.names.map((name, k) => [name, k] as const).slice(1));
    const row = known && { known, places };
    this.#rows.set(path, row);
    return row;
  }
}

interface Waiting {
  readonly found: Found;
  readonly hash: ContentHash;
}

interface Row {
  readonly known: KnownDirectory;
  readonly places: ReadonlyMap<string, number>;
}

function isRacy({ ctimeNs, draft }: Found): boolean {
  return ctimeNs > draft.observedNs - RACY_NS;
}
