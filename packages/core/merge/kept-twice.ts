import type { RecordAt } from '../compare.ts';
import type { GitId, ObjectId } from '../ids.ts';
import type { JsonObject } from '../json.ts';
import { compareNames, isInside, joinPath, nameOf, parentOf, type RepoPath } from '../path.ts';
import type { Rec } from '../record.ts';
import { GIT, type Torn } from './atomic.ts';
import { conflictName } from './conflict-name.ts';
import { deriveObjectId } from './derive-id.ts';
import { compareMtimes, copyId } from './fields.ts';
import type { FolderNode, FolderNodes } from './folder-nodes.ts';
import { foldersAbove } from './folder-records.ts';
import { type Ground, otherSide, SIDES } from './ground.ts';
import type { MergeConflict, Merged, MergedEntry, MergeEntry, MergeInput, SideNumber } from './input.ts';

/**
 * The input as if the side that does not stay had left its torn folders alone: then the other side's version is what
 * the merge makes of them. What it moved out of them becomes objects of its own.
 */
export function withoutTorn(torn: readonly Torn[], ground: Ground, nodes: FolderNodes): MergeInput {
  const { input, alike } = ground;
  const sides = SIDES.map((side) => {
    const lost = torn.filter(({ winner }) => winner !== side);
    return [
      ...alike,
      ...lost.reduce((entries, one) => asBefore(entries, one, ground, nodes), input.sides[side]),
    ];
  });
  return { base: [...alike, ...input.base], sides: sides as [MergeEntry[], MergeEntry[]] };
}

function asBefore(
  entries: readonly MergeEntry[],
  torn: Torn,
  ground: Ground,
  nodes: FolderNodes,
): readonly MergeEntry[] {
  const side = otherSide(torn.winner);
  const { before, now } = regionOf(torn, side, ground, nodes);
  const old = before === undefined ? [] : ground.input.base.filter(({ path }) => isInside(path, before));
  const stays = nodes.ownPathOn(torn.winner, torn.folder);
  const others =
    stays === undefined ? [] : ground.input.sides[torn.winner].filter(({ path }) => isInside(path, stays));
  const ids = new Set<ObjectId>([...old, ...others].map(({ record }) => record.id));
  const isThere = nodes.ownPathOn(side, torn.folder) !== undefined;
  const kept = isThere ? entries.filter(({ path }) => !isInside(path, now)) : entries;
  return [
    ...kept.map((entry) => (ids.has(entry.record.id) ? asNewObject(entry) : entry)),
    ...old.map((entry) => ({ ...entry, path: `${now}${entry.path.slice(before?.length)}` as RepoPath })),
  ];
}

/** What is taken back: where it was in the base and where the side has it. All of the folder, but not what is left of a project without its `.git`. */
function regionOf(
  { folder, isGit, isKeptTwice }: Torn,
  side: SideNumber,
  ground: Ground,
  nodes: FolderNodes,
): { before: RepoPath | undefined; now: RepoPath } {
  const now = placeOn(folder, side, nodes);
  const isLeft =
    ground.input.sides[side].some(({ path }) => isInside(path, now)) || ground.holdsUntouched(now);
  if (isKeptTwice || !isGit || !isLeft) return { before: folder.base, now };
  return { before: folder.base && joinPath(folder.base, GIT), now: joinPath(now, GIT) };
}

/** Where a side has a folder, or would have it if it had not deleted it. */
function placeOn(folder: FolderNode, side: SideNumber, nodes: FolderNodes): RepoPath {
  const path = nodes.ownPathOn(side, folder);
  if (path !== undefined || folder.home === undefined) return path ?? ('' as RepoPath);
  return joinPath(placeOn(folder.home.parent, side, nodes), folder.home.name);
}

/** Its blob is a stand-in for that of a record that is nowhere yet. */
function asNewObject({ path, record }: MergeEntry): MergeEntry {
  const id = copyId(record.id, record);
  return { path, record: ownRecord(record, id), blob: `${STAND_IN}${id}` as GitId };
}

const STAND_IN = 'new ';

function ownRecord({ was: _was, linked: _linked, ...record }: Rec, id: ObjectId): Rec {
  return { ...record, id };
}

/** Puts the versions that do not stay beside those that do, and says so in the folders' records. */
export function addKeptTwice(
  merged: Merged,
  torn: readonly Torn[],
  pathOf: (folder: FolderNode, winner: SideNumber) => RepoPath,
  old: { readonly ground: Ground; readonly nodes: FolderNodes },
): Merged {
  const entries = new Map(merged.entries.map((entry) => [entry.path, withoutStandIn(entry)]));
  const folders = foldersAbove(merged.entries);
  const conflicts: MergeConflict[] = [...merged.conflicts];
  const isTaken = (path: RepoPath): boolean =>
    entries.has(path) || folders.has(path) || old.ground.isKnown(path);
  const inOrder = torn
    .map((one) => ({ one, path: pathOf(one.folder, one.winner) }))
    .sort((a, b) => compareNames(a.path, b.path));
  for (const { one, path } of inOrder) {
    const copies = one.isKeptTwice ? copiesOf(one, old) : [];
    const kept = copies.length === 0 ? [] : [nameCopy(path, one, copies, isTaken)];
    for (const beside of kept) {
      for (const { within, record } of copies) {
        const at = `${beside}${within}` as RepoPath;
        entries.set(at, { path: at, record });
      }
      folders.add(beside);
    }
    const kind = one.isKeptTwice ? 'atomic' : 'delete-edit';
    markFolders(entries, [path, ...kept], kind, old.ground);
    conflicts.push({ path, kind, kept });
  }
  return {
    entries: [...entries.values()].sort((a, b) => compareNames(a.path, b.path)),
    conflicts: conflicts.sort((a, b) => compareNames(a.path, b.path) || compareNames(a.kind, b.kind)),
  };
}

function withoutStandIn(entry: MergedEntry): MergedEntry {
  return entry.blob?.startsWith(STAND_IN) ? { path: entry.path, record: entry.record } : entry;
}

interface Copy {
  /** Path from the folder on, with its slash; of the folder's own record ''. */
  readonly within: string;
  readonly record: Rec;
}

function copiesOf(
  { folder, winner }: Torn,
  { ground, nodes }: { ground: Ground; nodes: FolderNodes },
): Copy[] {
  const side = otherSide(winner);
  const path = placeOn(folder, side, nodes);
  return [...ground.facts.below(side, path)].map((entry) => {
    const record = ownRecord(entry.record, copyId(entry.record.id, entry.record));
    return { within: entry.path.slice(path.length), record };
  });
}

function nameCopy(
  path: RepoPath,
  { version }: Torn,
  copies: readonly Copy[],
  isTaken: (path: RepoPath) => boolean,
): RepoPath {
  const folder = parentOf(path);
  const times = copies.flatMap(({ record }) => record.mtime ?? []).sort(compareMtimes);
  const name = conflictName(nameOf(path), version, times.at(-1), (candidate) =>
    isTaken(joinPath(folder, candidate)),
  );
  return joinPath(folder, name);
}

/** The folder's record tells of the conflict; one that has none gets one for it. */
function markFolders(
  entries: Map<RepoPath, MergedEntry>,
  paths: readonly RepoPath[],
  kind: 'atomic' | 'delete-edit',
  ground: Ground,
): void {
  const versions = [...paths].sort(compareNames).map((path) => ({ path }));
  const conflict: JsonObject = { kind, versions };
  for (const path of paths) {
    const known = entries.get(path) ?? ground.untouchedRecord(path);
    const record = known?.record.type === 'dir' ? known.record : newRecord(path, entries, ground);
    if (record !== undefined) entries.set(path, { path, record: { ...record, conflict } });
  }
}

/** Undefined: nothing is in the folder. */
function newRecord(
  folder: RepoPath,
  entries: ReadonlyMap<RepoPath, MergedEntry>,
  ground: Ground,
): Rec | undefined {
  const inside: RecordAt[] = [...entries.values()].filter(({ path }) => isInside(path, folder));
  for (const entry of ground.untouchedBelow(folder)) inside.push(entry);
  const [oldest] = inside.map(({ record }) => record.id).sort();
  if (oldest === undefined) return undefined;
  return { v: 1, id: deriveObjectId(oldest, 'dir'), type: 'dir', mode: '0755' };
}
