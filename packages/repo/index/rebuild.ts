import {
  DIRECTORY_RECORD,
  decodeName,
  type EncodedName,
  type FsName,
  type GitId,
  hasAbsent,
  isWhollyAbsent,
  joinPath,
  KIND,
  type KnownDirectory,
  PLAIN_FOLDER_MODE,
  PROTECTION,
  parseMode,
  parseMtime,
  parseRecord,
  type RepoPath,
  ROOT,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import { type HistoryReader, IndexDamaged, type IndexDb, type TreeEntry } from '@bk/store';
import { entryPath, recordAt } from '../observe/draft.ts';
import { markAbsent, placeIn, settleFlags } from '../presence/absent-rows.ts';
import type { Presence } from '../presence/read-presence.ts';
import { departedSince } from './departures.ts';
import { RowBuilder } from './row-builder.ts';

export interface RebuildOptions {
  readonly index: IndexDb;
  readonly history: HistoryReader;
  readonly head: GitId | undefined;
  /** Id of this repository: what others let go of arrived here (rule 12). Absent: so did everything. */
  readonly repository?: string;
  /** What this repository said last that it holds; absent: it never said, and holds everything, unless it is limited or partial. */
  readonly own?: Presence | undefined;
  /** This repository wants a part of the tree only: what came into the head since need not be here. */
  readonly limited?: boolean;
  /** Something was absent when it last said what is here. */
  readonly partial?: boolean;
  /** Records by the path of their blob which an index that was thrown away said are absent. */
  readonly absent?: ReadonlyMap<RepoPath, GitId>;
  readonly onDirectory?: (path: RepoPath) => void;
}

/**
 * Makes the index mirror the head's tree. Stats survive where the old row was made for the very same record, so that
 * after a kill between ref and index only what that commit changed is hashed again; all else is vouched for no longer.
 * So do the flags of what is absent by design; of other records, that is absent which the own presence has not at the
 * very same path. If the index does not know that presence (power was lost: the presence was durable, the index was not),
 * that goes for all. A presence that is out of date can thus only make something seem absent that is here, which the next
 * scan finds, never deleted.
 */
export function rebuildIndex(options: RebuildOptions): void {
  const { index, history, head } = options;
  const rebuilding = new Rebuilding(options);
  if (head !== undefined) rebuilding.visit(ROOT, history.readCommit(head).tree, presentOf(options));
  const { put, present, files } = rebuilding;
  const remove = index.paths().filter((path) => !present.has(path));
  if (rebuilding.anyAbsent || index.absent.any) settleFlags(put, index);
  const { rows, withdrawn, continues } = departedSince(history, {
    ...{ from: index.head, to: head, own: options.repository },
    listed: (id) => index.departed.committed(id),
  });
  // What an index of another line says was deleted need not have been: an id that is alive must not come back.
  const returned = continues ? [] : index.departed.all().map(({ id }) => id);
  const presence = options.own?.commit ?? null;
  index.write({ head, presence, put, remove, files, departed: rows, withdrawn, returned });
}

/** What a readable index says is absent, by the path of the record's blob. */
export function absentRecords(index: IndexDb): Map<RepoPath, GitId> {
  const records = new Map<RepoPath, GitId>();
  for (const folder of index.absent.any ? index.absent.folders(ROOT) : []) {
    const known = oldRow(index, folder);
    known?.protections.forEach((protection, k) => {
      if (protection !== PROTECTION.absent || (k > 0 && known.listing.kinds[k] === KIND.dir)) return;
      const path = k === 0 ? joinPath(folder, DIRECTORY_RECORD) : entryPath(folder, known.listing, k);
      records.set(path, recordAt(known, k));
    });
  }
  return records;
}

/** The tree `present/` of a folder; `all`: everything that the head has there is here; undefined: nothing. */
type Here = GitId | 'all' | undefined;

/** Where nothing was absent and all is wanted, nothing is: also what came into the head since is here, or was deleted. */
function presentOf({ own, limited, partial }: RebuildOptions): Here {
  // It said what is here when it was made: if that is lost, nothing tells a file that was deleted from one that never came.
  if (own === undefined) return limited === true || partial === true ? undefined : 'all';
  return own.facts.whole === true && limited !== true ? 'all' : own.present;
}

function oldRow(index: IndexDb, path: RepoPath): KnownDirectory | undefined {
  try {
    return index.known(path);
  } catch (error) {
    if (error instanceof IndexDamaged) return undefined;
    throw error;
  }
}

class Rebuilding {
  readonly put = new Map<RepoPath, KnownDirectory>();
  /** Folders that the head has. */
  readonly present = new Set<RepoPath>();
  files = 0;
  anyAbsent = false;
  readonly #options: RebuildOptions;
  /** The rows' own flags are not all that is known of what is absent. */
  readonly #reconciling: boolean;

  constructor(options: RebuildOptions) {
    this.#options = options;
    this.#reconciling = options.own !== undefined && options.own.commit !== options.index.presence;
  }

  /** @returns whether nothing of the folder is here */
  visit(path: RepoPath, tree: GitId, here: Here): boolean {
    const { index, history, onDirectory } = this.#options;
    onDirectory?.(path);
    this.present.add(path);
    const old = oldRow(index, path);
    const entries = history.readTree(tree);
    const listed = new Map(
      here === undefined || here === 'all' || here === tree
        ? []
        : history.readTree(here).map((entry) => [entry.name, entry]),
    );
    const everything = here === 'all' || here === tree;
    const absent = ({ name, id }: TreeEntry): boolean =>
      this.#options.absent?.get(joinPath(path, name)) === id || (!everything && listed.get(name)?.id !== id);
    const emptied = new Set<EncodedName>();
    for (const { name, kind, id } of entries) {
      const below = listed.get(name);
      const hereBelow = everything ? 'all' : below?.kind === 'tree' ? below.id : undefined;
      if (kind === 'tree') {
        if (this.visit(joinPath(path, name), id, hereBelow)) emptied.add(name);
      } else if (name !== DIRECTORY_RECORD) this.files++;
    }
    if (old?.tree === tree && (everything || !this.#reconciling)) return isWhollyAbsent(old);
    const isAbsent = (entry: TreeEntry): boolean =>
      entry.kind === 'tree' ? emptied.has(entry.name) : absent(entry);
    const row = mirror(entries, { tree, old, history, absent: isAbsent });
    const changed = this.#reconciling && reconcile(row, entries, isAbsent);
    if (changed || old?.tree !== tree) this.#put(path, row);
    return isWhollyAbsent(row);
  }

  #put(path: RepoPath, row: KnownDirectory): void {
    this.put.set(path, row);
    this.anyAbsent ||= hasAbsent(row);
  }
}

/** @returns whether any flag was added */
function reconcile(
  row: KnownDirectory,
  entries: readonly TreeEntry[],
  isAbsent: (entry: TreeEntry) => boolean,
): boolean {
  let changed = false;
  for (const entry of entries) {
    const k = entry.name === DIRECTORY_RECORD ? 0 : placeIn(row, decodeName(entry.name));
    if (k < 0 || row.protections[k] === PROTECTION.absent || !isAbsent(entry)) continue;
    markAbsent(row, k);
    changed = true;
  }
  return changed;
}

interface Source {
  readonly tree: GitId;
  readonly old: KnownDirectory | undefined;
  readonly history: HistoryReader;
  /** Whether a folder, or a record that the old row does not have, is absent by design. */
  readonly absent: (entry: TreeEntry) => boolean;
}

function mirror(entries: readonly TreeEntry[], { tree, old, history, absent }: Source): KnownDirectory {
  const row = new RowBuilder();
  const own = entries.find(({ name }) => name === DIRECTORY_RECORD);
  row.addFolder('.' as FsName, PLAIN_FOLDER_MODE);
  if (own !== undefined) {
    const rec = parseRecord(history.readBlobText(own.id));
    const same = old !== undefined && recordAt(old, 0) === own.id ? old : undefined;
    row.own(rec.id, own.id, parseMode(rec.mode), {
      stats: same?.listing.stats,
      absent: same === undefined ? absent(own) : same.protections[0] === PROTECTION.absent,
    });
  }
  for (const entry of entries) {
    if (entry.name === DIRECTORY_RECORD) continue;
    const name = decodeName(entry.name);
    const k = old === undefined ? -1 : placeIn(old, name);
    if (entry.kind === 'tree') row.addFolder(name, PLAIN_FOLDER_MODE, absent(entry));
    else if (old !== undefined && k > 0 && recordAt(old, k) === entry.id) row.addKnown(old, k);
    else addRecordOnly(row, { name, record: entry.id, history, absent: absent(entry) });
  }
  return row.finish({ tree, observedNs: old?.observedNs ?? 0n, mount: old?.mount ?? false });
}

/** An entry of which only the record is known: no stat vouches for it, so it is read before it is believed. */
export function addRecordOnly(
  row: RowBuilder,
  entry: { name: FsName; record: GitId; history: HistoryReader; absent?: boolean },
): void {
  const rec = parseRecord(entry.history.readBlobText(entry.record));
  const stats = new BigInt64Array(STAT_WIDTH);
  stats[STAT.size] = BigInt(rec.size ?? 0);
  stats[STAT.mtime] = parseMtime(rec.mtime!);
  row.add({
    name: entry.name,
    kind: rec.type === 'symlink' ? KIND.symlink : KIND.file,
    mode: parseMode(rec.mode),
    stats,
    at: 0,
    hash: rec.blake3!,
    id: rec.id,
    record: entry.record,
    protection: entry.absent === true ? PROTECTION.absent : PROTECTION.none,
  });
}
