import type { RecordAt } from '../compare.ts';
import type { GitId, ObjectId } from '../ids.ts';
import type { JsonObject } from '../json.ts';
import { compareNames, joinPath, nameOf, parentOf, type RepoPath, ROOT } from '../path.ts';
import { formatRecord, type Rec } from '../record.ts';
import { GIT, type Torn } from './atomic.ts';
import { conflictName } from './conflict-name.ts';
import { deriveObjectId } from './derive-id.ts';
import { compareMtimes, copyId } from './fields.ts';
import type { FolderNode, FolderNodes } from './folder-nodes.ts';
import { foldersAbove } from './folder-records.ts';
import { type Ground, otherSide } from './ground.ts';
import type { MergeConflict, Merged, MergedEntry, MergeEntry, MergeInput, SideNumber } from './input.ts';

/**
 * The input as if the side that does not stay had left its torn folders alone: then the other side's version is what
 * the merge makes of them. What it moved out of them becomes objects of its own.
 */
export function withoutTorn(torn: readonly Torn[], ground: Ground, nodes: FolderNodes): MergeInput {
  const { input, alike } = ground;
  const sideOf = (side: SideNumber): MergeEntry[] => {
    const lost = torn.filter(({ winner }) => winner !== side);
    return [...alike, ...asBefore(lost, side, ground, nodes)];
  };
  return { base: [...alike, ...input.base], sides: [sideOf(0), sideOf(1)] };
}

function asBefore(
  torn: readonly Torn[],
  side: SideNumber,
  ground: Ground,
  nodes: FolderNodes,
): readonly MergeEntry[] {
  const { base, sides } = ground.input;
  const places = torn.map((one) => placeOn(one.folder, side, nodes));
  const there = entriesInside(sides[side], new Set(places));
  const regions = torn.map((one, i) => {
    const place = places[i] as RepoPath;
    const isListed = there.get(place)?.some(({ path, record }) => path !== place || record.type === 'dir');
    return regionOf(one, place, isListed === true || ground.holdsUntouched(place));
  });
  const old = entriesInside(base, new Set(regions.flatMap(({ before }) => before ?? [])));
  const ids = new Set<ObjectId>();
  for (const entries of old.values()) for (const { record } of entries) ids.add(record.id);
  const isThere = (one: Torn): boolean => nodes.ownPathOn(side, one.folder) !== undefined;
  const cut = new Set(regions.flatMap(({ now }, i) => (isThere(torn[i] as Torn) ? [now] : [])));
  const inside = entriesInside(sides[side], cut);
  const gone = new Set([...inside.values()].flat());
  const kept = sides[side].filter((entry) => !gone.has(entry)).sort(byPath);
  // What the side says of folders that it emptied would be nowhere else.
  const emptied = regions.filter((_, i) => torn[i]?.isKeptTwice === false);
  const said = emptied.flatMap(({ now }) => inside.get(now)?.filter(isFolder) ?? []);
  const told = new Set<string>(said.flatMap(({ path, record }) => [path, record.id]));
  const restored = regions
    .flatMap(({ before, now }) =>
      before === undefined ? [] : (old.get(before) ?? []).map((entry) => movedFrom(entry, before, now)),
    )
    .filter((entry) => !isFolder(entry) || (!told.has(entry.path) && !told.has(entry.record.id)));
  const given = new Set([...sides[side], ...restored].map(({ record }) => record.id));
  return [
    ...kept.map((entry) => (ids.has(entry.record.id) ? asNewObject(entry, given) : entry)),
    ...said,
    ...restored,
  ];
}

function byPath(a: RecordAt, b: RecordAt): number {
  return compareNames(a.path, b.path);
}

function isFolder({ record }: MergeEntry): boolean {
  return record.type === 'dir';
}

/** What is taken back: where it was in the base and where the side has it. All of the folder, but of a project that only lost its `.git`, that. */
function regionOf(
  { folder, isGit, isKeptTwice }: Torn,
  now: RepoPath,
  isLeft: boolean,
): { readonly before: RepoPath | undefined; readonly now: RepoPath } {
  if (isKeptTwice || !isGit || !isLeft) return { before: folder.base, now };
  return { before: folder.base && joinPath(folder.base, GIT), now: joinPath(now, GIT) };
}

function movedFrom(entry: MergeEntry, from: RepoPath, to: RepoPath): MergeEntry {
  return { ...entry, path: `${to}${entry.path.slice(from.length)}` as RepoPath };
}

/** Entries at and below each of the folders. */
function entriesInside<T extends RecordAt>(
  entries: Iterable<T>,
  folders: ReadonlySet<RepoPath>,
): Map<RepoPath, T[]> {
  const found = new Map<RepoPath, T[]>();
  for (const entry of entries) {
    for (let path = entry.path; path !== ROOT; path = parentOf(path)) {
      if (!folders.has(path)) continue;
      const known = found.get(path);
      if (known === undefined) found.set(path, [entry]);
      else known.push(entry);
    }
  }
  return found;
}

/** Where a side has a folder, or would have it if it had not deleted it. */
function placeOn(folder: FolderNode, side: SideNumber, nodes: FolderNodes): RepoPath {
  const path = nodes.ownPathOn(side, folder);
  if (path !== undefined || folder.home === undefined) return path ?? ('' as RepoPath);
  return joinPath(placeOn(folder.home.parent, side, nodes), folder.home.name);
}

/** Its blob is a stand-in for that of a record that is nowhere yet. */
function asNewObject({ path, record }: MergeEntry, given: Set<ObjectId>): MergeEntry {
  const own = ownRecord(record, freeCopyId(record, given));
  return { path, record: own, blob: `${STAND_IN}${formatRecord(own)}` as GitId };
}

const STAND_IN = 'new ';

/** @param given ids that there are already, to which this one is added */
function freeCopyId(record: Rec, given: Set<ObjectId>): ObjectId {
  let id = copyId(record.id, record);
  while (given.has(id)) id = copyId(id, record);
  given.add(id);
  return id;
}

function ownRecord({ was: _was, linked: _linked, ...record }: Rec, id: ObjectId): Rec {
  return { ...record, id };
}

/** Puts the versions that do not stay beside those that do, and says so in the folders' records. */
export function addKeptTwice(
  merged: Merged,
  torn: readonly Torn[],
  pathOf: (folder: FolderNode, winner: SideNumber) => RepoPath,
  old: Old,
): Merged {
  const entries = new Map(merged.entries.map((entry) => [entry.path, withoutStandIn(entry)]));
  const folders = foldersAbove(merged.entries);
  const conflicts: MergeConflict[] = [...merged.conflicts];
  const alike = new Set(old.ground.alike.map(({ path }) => path));
  const given = new Set(merged.entries.flatMap(({ path, record }) => (alike.has(path) ? [] : [record.id])));
  const isTaken = (path: RepoPath): boolean => {
    // What was kept twice before in the same way has the ids that its copies would get again.
    for (const { record } of old.ground.untouchedBelow(path)) given.add(record.id);
    return entries.has(path) || folders.has(path) || old.ground.isKnown(path);
  };
  const all = torn.map((one) => ({ one, path: pathOf(one.folder, one.winner) }));
  const inside = entriesInside(merged.entries, new Set(all.map(({ path }) => path)));
  for (const { one, path } of all.sort((a, b) => compareNames(a.path, b.path))) {
    const from = placeOn(one.folder, otherSide(one.winner), old.nodes);
    const lost = one.isKeptTwice ? [...old.ground.facts.below(otherSide(one.winner), from)].sort(byPath) : [];
    const kept = lost.length === 0 ? [] : [nameCopy(path, one, lost, isTaken)];
    const stays = [...(inside.get(path) ?? []), ...old.ground.untouchedBelow(path)];
    const record = recordAt(path, entries, old) ?? newRecord(stays, given);
    // All that was in it may have gone elsewhere.
    const [first, ...others] = record === undefined ? kept : [path, ...kept];
    if (first === undefined) continue;
    const kind = one.isKeptTwice ? 'atomic' : 'delete-edit';
    const versions = [first, ...others].sort(compareNames).map((at) => ({ path: at }));
    const conflict: JsonObject = { kind, versions };
    setRecord(entries, path, record, conflict);
    for (const beside of kept) {
      const placed = lost.map((entry) => copyOf(movedFrom(entry, from, beside), given));
      for (const entry of placed) entries.set(entry.path, entry);
      setRecord(entries, beside, recordAt(beside, entries, old) ?? newRecord(placed, given), conflict);
      folders.add(beside);
    }
    conflicts.push({ path: first, kind, kept: others });
  }
  return {
    entries: [...entries.values()].sort(byPath),
    conflicts: conflicts.sort((a, b) => compareNames(a.path, b.path) || compareNames(a.kind, b.kind)),
  };
}

interface Old {
  readonly ground: Ground;
  readonly nodes: FolderNodes;
}

function recordAt(
  path: RepoPath,
  entries: ReadonlyMap<RepoPath, MergedEntry>,
  { ground }: Old,
): Rec | undefined {
  return (entries.get(path) ?? ground.untouchedRecord(path))?.record;
}

/** Of a folder that has none. Undefined: nothing is in it. */
function newRecord(inside: readonly RecordAt[], given: Set<ObjectId>): Rec | undefined {
  const [oldest] = inside.map(({ record }) => record.id).sort();
  if (oldest === undefined) return undefined;
  let id = deriveObjectId(oldest, 'dir');
  while (given.has(id)) id = deriveObjectId(id, 'dir');
  given.add(id);
  return { v: 1, id, type: 'dir', mode: '0755' };
}

function setRecord(
  entries: Map<RepoPath, MergedEntry>,
  path: RepoPath,
  record: Rec | undefined,
  conflict: JsonObject,
): void {
  if (record?.type === 'dir') entries.set(path, { path, record: { ...record, conflict } });
}

function withoutStandIn(entry: MergedEntry): MergedEntry {
  return entry.blob?.startsWith(STAND_IN) ? { path: entry.path, record: entry.record } : entry;
}

/** @param given ids: something of the folder may be a copy already, where the side moved it out */
function copyOf({ path, record }: RecordAt, given: Set<ObjectId>): RecordAt {
  return { path, record: ownRecord(record, freeCopyId(record, given)) };
}

function nameCopy(
  path: RepoPath,
  { version }: Torn,
  lost: readonly RecordAt[],
  isTaken: (path: RepoPath) => boolean,
): RepoPath {
  const folder = parentOf(path);
  const times = lost.flatMap(({ record }) => record.mtime ?? []).sort(compareMtimes);
  const name = conflictName(nameOf(path), version, times.at(-1), (candidate) =>
    isTaken(joinPath(folder, candidate)),
  );
  return joinPath(folder, name);
}
