import {
  DIRECTORY_RECORD,
  decodeName,
  type FsName,
  type GitId,
  joinPath,
  KIND,
  type KnownDirectory,
  PLAIN_FOLDER_MODE,
  PROTECTION,
  parseMode,
  parseMtime,
  parseRecord,
  type RepoPath,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import { type HistoryReader, IndexDamaged, type IndexDb, type TreeEntry } from '@bk/store';
import { departedSince } from './departures.ts';
import { recordAt } from './draft.ts';
import { RowBuilder } from './row-builder.ts';

export interface RebuildOptions {
  readonly index: IndexDb;
  readonly history: HistoryReader;
  readonly head: GitId | undefined;
  readonly onDirectory?: (path: RepoPath) => void;
}

/**
 * Makes the index mirror the head's tree. Stats survive where the old row was made for the very same record, so that
 * after a kill between ref and index only what that commit changed is hashed again; all else is vouched for no longer.
 */
export function rebuildIndex({ index, history, head, onDirectory }: RebuildOptions): void {
  const put: [RepoPath, KnownDirectory][] = [];
  const present = new Set<RepoPath>();
  let files = 0;
  const visit = (path: RepoPath, tree: GitId): void => {
    onDirectory?.(path);
    present.add(path);
    const old = oldRow(index, path);
    const entries = history.readTree(tree);
    if (old?.tree !== tree) put.push([path, mirror(entries, { tree, old, history })]);
    for (const entry of entries) {
      if (entry.kind === 'tree') visit(joinPath(path, entry.name), entry.id);
      else if (entry.name !== DIRECTORY_RECORD) files++;
    }
  };
  if (head !== undefined) visit('' as RepoPath, history.readCommit(head).tree);
  const remove = oldPaths(index).filter((path) => !present.has(path));
  const departed = departedSince(history, index.head, head);
  // What an index of another line says was deleted need not have been: an id that is alive must not come back.
  const elsewhere = departed.continues ? [] : index.departed.all().map(({ id }) => id);
  const returned = index.head === undefined ? [] : [...elsewhere, ...departed.returned];
  index.write({ head, put, remove, files, departed: departed.rows, returned });
}

function oldRow(index: IndexDb, path: RepoPath): KnownDirectory | undefined {
  try {
    return index.known(path);
  } catch (error) {
    if (error instanceof IndexDamaged) return undefined;
    throw error;
  }
}

function oldPaths(index: IndexDb): RepoPath[] {
  return index.paths();
}

interface Source {
  readonly tree: GitId;
  readonly old: KnownDirectory | undefined;
  readonly history: HistoryReader;
}

function mirror(entries: readonly TreeEntry[], { tree, old, history }: Source): KnownDirectory {
  const places = new Map<string, number>(old?.listing.names.map((name, k) => [name, k]) ?? []);
  const row = new RowBuilder();
  const own = entries.find(({ name }) => name === DIRECTORY_RECORD);
  row.addFolder('.' as FsName, PLAIN_FOLDER_MODE);
  if (own !== undefined) {
    const rec = parseRecord(history.readBlobText(own.id));
    row.own(
      rec.id,
      own.id,
      parseMode(rec.mode),
      old !== undefined && recordAt(old, 0) === own.id ? old.listing.stats : undefined,
    );
  }
  for (const entry of entries) {
    if (entry.name === DIRECTORY_RECORD) continue;
    const name = decodeName(entry.name);
    const k = places.get(name);
    if (entry.kind === 'tree') row.addFolder(name, PLAIN_FOLDER_MODE);
    else if (old !== undefined && k !== undefined && recordAt(old, k) === entry.id) row.addKnown(old, k);
    else addRecordOnly(row, { name, record: entry.id, history });
  }
  return row.finish({ tree, observedNs: old?.observedNs ?? 0n, mount: old?.mount ?? false });
}

/** An entry of which only the record is known: no stat vouches for it, so it is read before it is believed. */
export function addRecordOnly(
  row: RowBuilder,
  entry: { name: FsName; record: GitId; history: HistoryReader },
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
    protection: PROTECTION.none,
  });
}
