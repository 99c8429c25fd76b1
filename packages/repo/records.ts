import {
  type ContentHash,
  formatMode,
  formatMtime,
  formatRecord,
  type IdentifiedEntry,
  newObjectId,
  type ObjectId,
  parseRecord,
  type Rec,
  type RepoPath,
} from '@bk/core';
import type { DepartedRow, HistoryReader } from '@bk/store';
import type { Context } from './context.ts';
import type { Decision } from './decide.ts';

/** What is to be recorded of one entry; `text` undefined: the record that the head has is still right. */
export interface NewRecord {
  readonly entry: IdentifiedEntry;
  readonly id: ObjectId;
  readonly text: string | undefined;
  /** Known but for a change of links to its inode. */
  readonly relinked: boolean;
}

const RANDOM_IDS = 4_096;

/** Gives out object ids in the order of time, from random bytes fetched many at a time. */
export function idSource(context: Context): () => ObjectId {
  const now = context.nowMs();
  let random: Uint8Array = new Uint8Array(0);
  let at = 0;
  return () => {
    if (at >= random.length) {
      random = context.random(10 * RANDOM_IDS);
      at = 0;
    }
    const id = newObjectId(now, random, at);
    at += 10;
    return id;
  };
}

/** The records that the next commit has of the entries, in their order; ids are given to new objects here. */
export function recordsOf(
  entries: readonly IdentifiedEntry[],
  decision: Decision,
  { history, newId }: { readonly history: HistoryReader; readonly newId: () => ObjectId },
): NewRecord[] {
  const ids = new Map<RepoPath, ObjectId>();
  const withIds = entries.map((entry) => {
    const id = idOf(entry) ?? newId();
    if (decision.linked.has(entry.seen.path)) ids.set(entry.seen.path, id);
    return { entry, id };
  });
  return withIds.map(({ entry, id }) => {
    const linked = linkedId(decision.linked.get(entry.seen.path), ids);
    return newRecord(entry, { id, linked, target: decision.contents.targets.get(entry.seen.path), history });
  });
}

function idOf({ object }: IdentifiedEntry): ObjectId | undefined {
  if (object.kind === 'known') return object.tracked.id;
  return object.kind === 'returned' ? object.departed.id : undefined;
}

/** The smallest id among the names of one inode. */
function linkedId(paths: readonly RepoPath[] | undefined, ids: ReadonlyMap<RepoPath, ObjectId>): ObjectId | undefined {
  let smallest: ObjectId | undefined;
  let count = 0;
  for (const path of paths ?? []) {
    const id = ids.get(path);
    if (id === undefined) continue;
    count++;
    if (smallest === undefined || id < smallest) smallest = id;
  }
  return count > 1 ? smallest : undefined;
}

interface Given {
  readonly id: ObjectId;
  readonly linked: ObjectId | undefined;
  readonly target: string | undefined;
  readonly history: HistoryReader;
}

function newRecord(entry: IdentifiedEntry, { id, linked, target, history }: Given): NewRecord {
  const { seen, object } = entry;
  if (object.kind === 'new') {
    return { entry, id, text: formatRecord(fresh(entry, { id, linked, target })), relinked: false };
  }
  const before = object.kind === 'known' ? object.tracked : (object.departed as DepartedRow);
  const sameContent = seen.type === 'dir' || (before.blake3 === seen.blake3 && before.size === seen.size);
  const sameFacts =
    object.kind === 'known' && sameContent && before.mode === seen.mode && (seen.type === 'dir' || before.mtimeNs === seen.mtimeNs);
  // A pure move keeps its record unless the names of its inode changed too, which only files with several can tell.
  if (sameFacts && linked === undefined && seen.path !== before.path) return { entry, id, text: undefined, relinked: false };
  const old = parseRecord(history.readBlobText(before.record));
  if (sameFacts && old.linked === linked) return { entry, id, text: undefined, relinked: false };
  const text = formatRecord(revised(entry, old, { id, linked, target, sameContent, before }));
  return { entry, id, text, relinked: sameFacts };
}

interface Facts {
  readonly id: ObjectId;
  readonly linked: ObjectId | undefined;
  readonly target: string | undefined;
}

function fresh({ seen }: IdentifiedEntry, { id, linked, target }: Facts): Rec {
  const mode = formatMode(seen.mode);
  if (seen.type === 'dir') return { v: 1, id, type: 'dir', mode };
  const blake3 = seen.blake3 as ContentHash;
  const mtime = formatMtime(seen.mtimeNs);
  if (seen.type === 'symlink') return { v: 1, id, type: 'symlink', blake3, size: seen.size, mtime, mode, target: target! };
  if (linked === undefined) return { v: 1, id, type: 'file', blake3, size: seen.size, mtime, mode };
  return { v: 1, id, type: 'file', blake3, size: seen.size, mtime, mode, linked };
}

/** What the person gave an object stays with it; what was read from its content goes with the content. */
function revised(
  entry: IdentifiedEntry,
  old: Rec,
  facts: Facts & { readonly sameContent: boolean; readonly before: { readonly mode: number; readonly mtimeNs: bigint } },
): Rec {
  const now = fresh(entry, { ...facts, target: facts.target ?? old.target });
  const { linked: _linked, hashes, media, ...kept } = old;
  const derived = facts.sameContent ? { ...(hashes && { hashes }), ...(media && { media }) } : {};
  // What the disk could not keep of the record (finer times, modes) and did not change since stays as recorded.
  const mode = facts.before.mode === entry.seen.mode ? old.mode : now.mode;
  const sameTime = facts.before.mtimeNs === entry.seen.mtimeNs && old.mtime !== undefined;
  return { ...kept, ...derived, ...now, mode, ...(sameTime && { mtime: old.mtime }) };
}

