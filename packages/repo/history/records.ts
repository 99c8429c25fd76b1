import { setImmediate } from 'node:timers/promises';
import {
  type ContentFacts,
  type ContentHash,
  formatMode,
  formatMtime,
  formatRecord,
  type GitId,
  type Identified,
  type IdentifiedEntry,
  newObjectId,
  type ObjectId,
  parseRecord,
  type Rec,
  type RepoPath,
  type SeenEntry,
  type TrackedEntry,
} from '@bk/core';
import type { DepartedRow, HistoryReader, PackWriter } from '@bk/store';
import type { Context } from '../context.ts';
import type { Decision } from '../observe/decide.ts';
import { foundOf, namesMayDiffer } from '../observe/draft.ts';
import type { LinksAway } from '../presence/absent-links.ts';

/** An entry as the commit has it. */
export interface Recorded {
  readonly entry: IdentifiedEntry;
  readonly id: ObjectId;
  readonly record: GitId;
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

/** What the next commit has of an entry; `text` undefined: the record that the head has is still right. */
export interface NewRecord {
  readonly entry: IdentifiedEntry;
  readonly id: ObjectId;
  readonly text: string | undefined;
}

interface RecordSources {
  readonly history: HistoryReader;
  readonly newId: () => ObjectId;
  readonly linksAway: LinksAway;
}

/** The records that the next commit has of the entries, in their order; ids are given to new objects here. */
export function* recordsOf(
  entries: readonly IdentifiedEntry[],
  decision: Decision,
  { history, newId, linksAway }: RecordSources,
): Generator<NewRecord> {
  const ids = entries.map((entry) => idOf(entry) ?? newId());
  const linkable = new Map<RepoPath, ObjectId>();
  entries.forEach(({ seen }, i) => {
    if (decision.linked.has(seen.path)) linkable.set(seen.path, ids[i]!);
  });
  const facts = factsIn(decision, history);
  for (const [i, entry] of entries.entries()) {
    const { path } = entry.seen;
    const linked = linkedId(decision.linked.get(path), linkable);
    const target = decision.contents.targets.get(path);
    const given = { id: ids[i]!, linked, target, facts, history, linksAway };
    yield { entry, id: ids[i]!, text: newRecord(entry, given) };
  }
}

type Facts = Pick<Rec, 'media' | 'hashes'>;

/**
 * What each entry's content says of itself: it was read just now, or its content was settled by that of an object that
 * left its path, whose record says it.
 */
function factsIn({ contents, identified }: Decision, history: HistoryReader): (seen: SeenEntry) => Facts {
  let settling: Map<ContentHash, GitId> | undefined;
  return (seen) => {
    const said = contents.facts.get(seen.path);
    if (said !== undefined) return recordFacts(said);
    if (seen.type !== 'file' || seen.blake3 === undefined || contents.hashes.has(seen.path)) return {};
    settling ??= new Map(
      [...identified.deleted, ...knownIn(identified)].flatMap(({ blake3, record }) =>
        blake3 === undefined ? [] : [[blake3, record] as const],
      ),
    );
    const record = settling.get(seen.blake3);
    return record === undefined ? {} : derived(parseRecord(history.readBlobText(record)));
  };
}

function knownIn({ entries }: Identified): TrackedEntry[] {
  return entries.flatMap(({ object }) => (object.kind === 'known' ? [object.tracked] : []));
}

function recordFacts({ media, payload }: ContentFacts): Facts {
  return { media, ...(payload && { hashes: { payload } }) };
}

/** What a record has from its content. */
function derived({ media, hashes }: Rec): Facts {
  return { ...(media && { media }), ...(hashes && { hashes }) };
}

/** Records made before other work gets its turn. */
const TURN = 512;

/** Writes the records into a pack; other work (the safety net's) goes on meanwhile. */
export async function writeRecords(records: Iterable<NewRecord>, writer: PackWriter): Promise<Recorded[]> {
  const recorded: Recorded[] = [];
  for (const { entry, id, text } of records) {
    const record =
      text === undefined && entry.object.kind === 'known'
        ? entry.object.tracked.record
        : writer.addBlob(text!);
    recorded.push({ entry, id, record });
    if (recorded.length % TURN === 0) await setImmediate();
  }
  return recorded;
}

function idOf({ object }: IdentifiedEntry): ObjectId | undefined {
  if (object.kind === 'known') return object.tracked.id;
  return object.kind === 'returned' ? object.departed.id : undefined;
}

/** The smallest id among the names of one inode; undefined unless it has several. */
export function linkedId(
  paths: readonly RepoPath[] | undefined,
  ids: ReadonlyMap<RepoPath, ObjectId>,
): ObjectId | undefined {
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
  /** Of a content that is not the one that the object had. */
  readonly facts: (seen: SeenEntry) => Facts;
  readonly history: HistoryReader;
  readonly linksAway: LinksAway;
}

/** Undefined: the record that the head has is still right. */
function newRecord(entry: IdentifiedEntry, given: Given): string | undefined {
  const { id, target, history } = given;
  let { linked } = given;
  const { seen, object } = entry;
  if (object.kind === 'new') {
    return formatRecord({ ...given.facts(seen), ...fresh(entry, { id, linked, target }) });
  }
  const before = object.kind === 'known' ? object.tracked : asSeen(object.departed as DepartedRow);
  const sameContent = seen.type === 'dir' || (before.blake3 === seen.blake3 && before.size === seen.size);
  const sameFacts =
    object.kind === 'known' &&
    sameContent &&
    before.mode === seen.mode &&
    (seen.type === 'dir' || before.mtimeNs === seen.mtimeNs);
  // A pure move keeps its record unless the names of its inode changed too.
  const mayStay = sameFacts && linked === undefined && seen.path !== before.path;
  if (mayStay && (seen.type === 'dir' || !namesMayDiffer(object.tracked, foundOf(entry)))) return undefined;
  const old = parseRecord(history.readBlobText(before.record));
  linked = sameContent ? groupOf(old, linked, given.linksAway) : linked;
  if (sameFacts && old.linked === linked) return undefined;
  const facts = sameContent ? derived(old) : given.facts(seen);
  return formatRecord({ ...facts, ...revised(entry, old, { id, linked, target, before }) });
}

/** What comes back is compared with what was on this disk. */
function asSeen(departed: DepartedRow): DepartedRow {
  return { ...departed, ...departed.seen };
}

/** The group that a file is in whose content is the same: the recorded one, as long as names of it are not here. */
export function groupOf(old: Rec, linked: ObjectId | undefined, linksAway: LinksAway): ObjectId | undefined {
  if (old.linked === undefined || old.linked === linked) return linked;
  return linksAway(old.linked) ? old.linked : linked;
}

interface Identity {
  readonly id: ObjectId;
  readonly linked: ObjectId | undefined;
  readonly target: string | undefined;
}

function fresh({ seen }: IdentifiedEntry, { id, linked, target }: Identity): Rec {
  const mode = formatMode(seen.mode);
  if (seen.type === 'dir') return { v: 1, id, type: 'dir', mode };
  const blake3 = seen.blake3 as ContentHash;
  const mtime = formatMtime(seen.mtimeNs);
  if (seen.type === 'symlink')
    return { v: 1, id, type: 'symlink', blake3, size: seen.size, mtime, mode, target: target! };
  if (linked === undefined) return { v: 1, id, type: 'file', blake3, size: seen.size, mtime, mode };
  return { v: 1, id, type: 'file', blake3, size: seen.size, mtime, mode, linked };
}

/** What the person gave an object stays with it; what was read from its content goes with the content. */
function revised(
  entry: IdentifiedEntry,
  old: Rec,
  facts: Identity & {
    readonly before: { readonly mode: number; readonly mtimeNs: bigint };
  },
): Rec {
  const now = fresh(entry, { ...facts, target: facts.target ?? old.target });
  const { linked: _linked, hashes: _hashes, media: _media, ...kept } = old;
  // What the disk could not keep of the record (finer times, modes) and did not change since stays as recorded.
  const mode = facts.before.mode === entry.seen.mode ? old.mode : now.mode;
  const sameTime = facts.before.mtimeNs === entry.seen.mtimeNs && old.mtime !== undefined;
  return { ...kept, ...now, mode, ...(sameTime && { mtime: old.mtime }) };
}
