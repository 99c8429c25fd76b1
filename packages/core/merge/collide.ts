import type { ObjectId } from '../ids.ts';
import { compareNames, type EncodedName, joinPath, nameOf, parentOf, type RepoPath } from '../path.ts';
import { formatRecord, type Rec } from '../record.ts';
import { conflictName } from './conflict-name.ts';
import { compareContents, copyId, isSameContent, mergeRecords } from './fields.ts';
import type { Ground } from './ground.ts';
import type { ConflictKind, MergeConflict, SideNumber, Version } from './input.ts';
import { type Placed, versionOf } from './placed.ts';
import { compareVersions } from './versions.ts';

/** A file of the merged tree with its conflict, if it has a new one. */
export interface Final {
  readonly path: RepoPath;
  readonly record: Rec;
  readonly blob?: Placed['blob'];
  /** Undefined: a content that did not stay at its object's path. */
  readonly placed: Placed | undefined;
  readonly conflict?: FinalConflict;
}

export interface FinalConflict {
  readonly kind: ConflictKind;
  readonly versions: readonly VersionAt[];
  /** No loser, so this record alone tells of it. */
  readonly isAlone?: boolean;
}

export interface VersionAt {
  readonly path: RepoPath;
  readonly record: Rec;
}

export interface Settled {
  readonly files: readonly Final[];
  readonly conflicts: readonly MergeConflict[];
}

/** All that wants one path, and the contents that do not stay there. */
interface Rivals {
  readonly path: RepoPath;
  readonly kind: ConflictKind;
  readonly stays: Placed | undefined;
  readonly losers: readonly Contender[];
}

interface Contender {
  readonly record: Rec;
  readonly version: Version | undefined;
  readonly placed: Placed | undefined;
}

/**
 * One path for each file: of several that want one, the one that stays, and conflict names for the others.
 * @param folders the folders of the merged tree, as far as they hold what is not alike in all three trees
 */
export function settleCollisions(
  placed: readonly Placed[],
  folders: ReadonlySet<RepoPath>,
  ground: Ground,
): Settled {
  const files: Final[] = [];
  const conflicts: MergeConflict[] = [];
  const contested: Rivals[] = [];
  for (const [path, group] of groupByPath(placed)) {
    const isFolder = folders.has(path) || ground.holdsUntouched(path);
    const untouched = untouchedAt(path, ground);
    if (!Array.isArray(group) && group.losers.length === 0 && !isFolder && untouched.length === 0) {
      files.push(finalOf(group, path));
      continue;
    }
    const members = unifyEqual([...untouched, ...(Array.isArray(group) ? group : [group])], ground);
    const rivals = rivalsAt(path, members, isFolder, ground);
    if (rivals.losers.length > 0) contested.push(rivals);
    else if (rivals.stays !== undefined) files.push(finalOf(rivals.stays, path));
  }
  const wanted = new Set(placed.map(({ path }) => path));
  const ids = contested.length === 0 ? new Map<ObjectId, Rec>() : recordsById(placed);
  const isTaken = (path: RepoPath): boolean => wanted.has(path) || folders.has(path) || ground.isKnown(path);
  for (const rivals of contested.sort((a, b) => compareNames(a.path, b.path))) {
    const named = nameLosers(rivals, ids, (path) => isTaken(path));
    for (const { path } of named) wanted.add(path);
    files.push(...withConflict(rivals, named));
    conflicts.push({
      path: rivals.path,
      kind: rivals.kind,
      kept: named.map(({ path }) => path).sort(compareNames),
    });
  }
  return { files, conflicts };
}

function groupByPath(placed: readonly Placed[]): Map<RepoPath, Placed | Placed[]> {
  const byPath = new Map<RepoPath, Placed | Placed[]>();
  for (const item of placed) {
    const known = byPath.get(item.path);
    if (known === undefined) byPath.set(item.path, item);
    else if (Array.isArray(known)) known.push(item);
    else byPath.set(item.path, [known, item]);
  }
  return byPath;
}

/** Nobody did anything to it, so it does not give way to what comes. */
function untouchedAt(path: RepoPath, ground: Ground): Placed[] {
  if (!ground.isUntouched(path)) return [];
  for (const entry of ground.facts.below('base', path)) {
    if (entry.path !== path) continue;
    const objects = [{ base: entry, sides: [entry, entry] as const }];
    const { record, blob } = entry;
    return [{ path, record, blob, objects, isMoved: false, losers: [], isUntouched: true }];
  }
  return [];
}

/** The one that stays first. */
function byStay(a: Placed, b: Placed): number {
  if (a.isUntouched !== b.isUntouched) return a.isUntouched === true ? -1 : 1;
  return compareContents(b.record, a.record) || compareNames(a.record.id, b.record.id);
}

/** Equal content at one path is one object. Sorted, the one that stays first. */
function unifyEqual(members: readonly Placed[], ground: Ground): Placed[] {
  const unified: Placed[] = [];
  for (const member of [...members].sort(byStay)) {
    const same = unified.findIndex(({ record }) => isSameContent(record, member.record));
    const twin = unified[same];
    if (twin === undefined) unified.push(member);
    else unified[same] = unify(twin, member, ground);
  }
  return unified.sort(byStay);
}

function unify(a: Placed, b: Placed, ground: Ground): Placed {
  const later = (): SideNumber => {
    const [first, second] = [versionOf(a, ground), versionOf(b, ground)];
    if (first === undefined || second === undefined) return first === undefined ? 1 : 0;
    const order =
      compareVersions(first, second) || compareNames(formatRecord(a.record), formatRecord(b.record));
    return order >= 0 ? 0 : 1;
  };
  const { record } = mergeRecords(undefined, a.record, b.record, later);
  return {
    path: a.path,
    record,
    objects: [...a.objects, ...b.objects],
    isMoved: a.isMoved && b.isMoved,
    losers: [...a.losers, ...b.losers],
    ...(a.isUntouched === true ? { isUntouched: true } : {}),
  };
}

function rivalsAt(path: RepoPath, members: readonly Placed[], isFolder: boolean, ground: Ground): Rivals {
  const stays = isFolder ? undefined : members[0];
  const contents = new Set(members.map(({ record }) => `${record.type}${record.blake3}`));
  const losers: Contender[] = [];
  for (const placed of members) {
    if (placed !== stays) losers.push({ record: placed.record, version: versionOf(placed, ground), placed });
  }
  for (const { record, version } of members.flatMap((member) => member.losers)) {
    const content = `${record.type}${record.blake3}`;
    if (!contents.has(content)) losers.push({ record, version, placed: undefined });
    contents.add(content);
  }
  return { path, kind: kindOf(members, losers, isFolder), stays, losers };
}

function kindOf(members: readonly Placed[], losers: readonly Contender[], isFolder: boolean): ConflictKind {
  if (isFolder) return 'file-directory';
  const types = new Set([...members, ...losers].map(({ record }) => record.type));
  if (types.size > 1) return 'type';
  if (members.length === 1) return 'content';
  return members.some(({ isMoved }) => isMoved) ? 'rename-collision' : 'add-add';
}

interface Named extends VersionAt {
  readonly placed: Placed | undefined;
}

/** Names are given in an order that follows from what is named. */
function nameLosers(
  { path, losers }: Rivals,
  ids: Map<ObjectId, Rec>,
  isTaken: (path: RepoPath) => boolean,
): Named[] {
  const folder = parentOf(path);
  const given = new Set<RepoPath>();
  const isFree = (name: EncodedName): boolean => {
    const candidate = joinPath(folder, name);
    return !given.has(candidate) && !isTaken(candidate);
  };
  const inOrder = [...losers].sort(
    (a, b) => compareContents(b.record, a.record) || compareNames(a.record.id, b.record.id),
  );
  return inOrder.map(({ record, version, placed }) => {
    const name = conflictName(nameOf(path), version, record.mtime, (candidate) => !isFree(candidate));
    const named = joinPath(folder, name);
    given.add(named);
    return { path: named, record: placed === undefined ? withFreeId(record, ids) : record, placed };
  });
}

function recordsById(placed: readonly Placed[]): Map<ObjectId, Rec> {
  return new Map(placed.map(({ record }) => [record.id, record]));
}

/** A copy of this content was made before, and lives on as an object of its own. */
function withFreeId(record: Rec, ids: Map<ObjectId, Rec>): Rec {
  let { id } = record;
  while (ids.has(id)) id = copyId(id, record);
  const free = { ...record, id };
  ids.set(id, free);
  return free;
}

/** What nothing collides with. */
export function finalOf(placed: Placed, path: RepoPath): Final {
  const { record, blob, conflict } = placed;
  const final = { path, record, placed, ...(blob === undefined ? {} : { blob }) };
  if (conflict === undefined) return final;
  const paths = conflict.wanted ?? [path];
  const versions = paths.map((wanted) => ({ path: wanted, record }));
  return { ...final, conflict: { kind: conflict.kind, versions, isAlone: true } };
}

function withConflict({ path, kind, stays }: Rivals, named: readonly Named[]): Final[] {
  const versions: VersionAt[] = named.map(({ path: at, record }) => ({ path: at, record }));
  if (stays !== undefined) versions.push({ path, record: stays.record });
  const conflict = { kind, versions };
  const finals: Final[] = named.map(({ path: at, record, placed }) => ({
    path: at,
    record,
    placed,
    conflict,
  }));
  if (stays !== undefined) finals.push({ path, record: stays.record, placed: stays, conflict });
  return finals;
}
