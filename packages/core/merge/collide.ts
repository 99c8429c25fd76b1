import type { ObjectId } from '../ids.ts';
import { compareNames, type RepoPath } from '../path.ts';
import { formatRecord, type Rec } from '../record.ts';
import { isSameContent, mergeRecords } from './fields.ts';
import type { Ground } from './ground.ts';
import type { ConflictKind, MergeConflict, SideNumber } from './input.ts';
import { byContent, type Contender, type Contested, nameRivals, type Rivals } from './name-losers.ts';
import type { MergeObject } from './objects.ts';
import { contentVersionOf, type Placed, versionOf } from './placed.ts';
import { compareVersions } from './versions.ts';

export interface Settled {
  /** Files that keep their paths. */
  readonly free: readonly Placed[];
  readonly contested: readonly Contested[];
  readonly conflicts: readonly MergeConflict[];
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
  const free: Placed[] = [];
  const rivals: Rivals[] = [];
  const sorted = [...placed].sort((a, b) => compareNames(a.entry.path, b.entry.path));
  for (let i = 0, end = 1; i < sorted.length; i = end, end++) {
    const one = sorted[i] as Placed;
    const { path } = one.entry;
    while (sorted[end]?.entry.path === path) end++;
    const isListed = one.objects.some((object) => isPathOf(object, path));
    const isFolder = folders.has(path) || (!isListed && ground.holdsUntouched(path));
    const untouched = isListed ? [] : untouchedAt(path, ground);
    if (end - i === 1 && one.losers.length === 0 && !isFolder && untouched.length === 0) {
      free.push(one);
      continue;
    }
    const members = stayingFirst(unifyEqual([...untouched, ...sorted.slice(i, end)], ground), ground);
    const found = rivalsAt(path, members, isFolder, ground);
    if (found.losers.length > 0) rivals.push(found);
    else if (found.stays !== undefined) free.push(found.stays);
  }
  if (rivals.length === 0) return { free, contested: [], conflicts: [] };
  const wanted = new Set(placed.map(({ entry }) => entry.path));
  const ids = recordsById(placed);
  const isTaken = (path: RepoPath): boolean => {
    // A copy of the same content that was made before has the id that it would get again.
    const untouched = ground.isUntouched(path) ? ground.untouchedFile(path).record : undefined;
    if (untouched !== undefined) ids.set(untouched.id, untouched);
    return wanted.has(path) || folders.has(path) || ground.isKnown(path);
  };
  return { free, ...nameRivals(rivals, ids, isTaken) };
}

/** A tree has it there, so nothing that all three have alike can be there. */
function isPathOf({ base, sides }: MergeObject, path: RepoPath): boolean {
  return base?.path === path || sides[0]?.path === path || sides[1]?.path === path;
}

/** Nobody did anything to it, so it does not give way to what comes. */
function untouchedAt(path: RepoPath, ground: Ground): Placed[] {
  if (!ground.isUntouched(path)) return [];
  const entry = ground.untouchedFile(path);
  const objects = [{ base: entry, sides: [entry, entry] as const }];
  return [{ entry, objects, isMoved: false, losers: [], conflict: undefined, isUntouched: true }];
}

/** The one that stays first. */
function byStay(a: Placed, b: Placed): number {
  if (a.isUntouched !== b.isUntouched) return a.isUntouched ? -1 : 1;
  return byContent(a.entry, b.entry);
}

/** Equal content at one path is one object. Sorted, the one that stays first. */
function unifyEqual(members: readonly Placed[], ground: Ground): Placed[] {
  const unified: Placed[] = [];
  for (const member of [...members].sort(byStay)) {
    const same = unified.findIndex(({ entry }) => isSameContent(entry.record, member.entry.record));
    const twin = unified[same];
    if (twin === undefined) unified.push(member);
    else unified[same] = unify(twin, member, ground);
  }
  return unified.sort(byStay);
}

/** Of two that were added, the one that its companions need stays. */
function stayingFirst(members: readonly Placed[], ground: Ground): readonly Placed[] {
  const [first, second] = members;
  if (first === undefined || second === undefined || members.length > 2) return members;
  const sides = members.map(({ objects: [object], objects }) =>
    object === undefined || objects.length > 1 ? undefined : ground.companionSide(object),
  );
  const [side, other] = sides;
  if (side === undefined || side !== other) return members;
  return first.objects[0]?.sides[side] === undefined ? [second, first] : members;
}

function unify(a: Placed, b: Placed, ground: Ground): Placed {
  const later = (): SideNumber => {
    const [first, second] = [versionOf(a, ground), versionOf(b, ground)];
    if (first === undefined || second === undefined) return first === undefined ? 1 : 0;
    const order =
      compareVersions(first, second) ||
      compareNames(formatRecord(a.entry.record), formatRecord(b.entry.record));
    return order >= 0 ? 0 : 1;
  };
  const { record } = mergeRecords(undefined, a.entry.record, b.entry.record, later);
  return {
    entry: { path: a.entry.path, record },
    objects: [...a.objects, ...b.objects],
    isMoved: a.isMoved && b.isMoved,
    losers: [...a.losers, ...b.losers],
    conflict: undefined,
    isUntouched: a.isUntouched,
  };
}

function rivalsAt(path: RepoPath, members: readonly Placed[], isFolder: boolean, ground: Ground): Rivals {
  const stays = isFolder ? undefined : members[0];
  const contents = new Set(members.map(({ entry }) => contentKey(entry.record)));
  const losers: Contender[] = [];
  for (const placed of members) {
    if (placed === stays) continue;
    const version = contentVersionOf(placed, ground);
    losers.push({ record: placed.entry.record, version, isCopy: false });
  }
  for (const { record, version } of members.flatMap((member) => member.losers)) {
    const content = contentKey(record);
    if (!contents.has(content)) losers.push({ record, version, isCopy: true });
    contents.add(content);
  }
  return { path, kind: kindOf(members, losers, isFolder), stays, losers };
}

function contentKey(record: Rec): string {
  return `${record.type} ${record.blake3}`;
}

function kindOf(members: readonly Placed[], losers: readonly Contender[], isFolder: boolean): ConflictKind {
  if (isFolder) return 'file-directory';
  const types = new Set([
    ...members.map(({ entry }) => entry.record.type),
    ...losers.map(({ record }) => record.type),
  ]);
  if (types.size > 1) return 'type';
  if (members.length === 1) return 'content';
  return members.some(({ isMoved }) => isMoved) ? 'rename-collision' : 'add-add';
}

function recordsById(placed: readonly Placed[]): Map<ObjectId, Rec> {
  return new Map(placed.map(({ entry }) => [entry.record.id, entry.record]));
}
