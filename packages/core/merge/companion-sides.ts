import { companionStemAt } from '../companions.ts';
import type { RepoPath } from '../path.ts';
import { compareContents, isSameContent } from './fields.ts';
import type { MergeEntry, SideNumber } from './input.ts';
import type { MergeObject } from './objects.ts';

/** One path's or object's two contents, of which only one can stay. */
interface Contest {
  readonly objects: readonly MergeObject[];
  readonly sides: readonly [MergeEntry, MergeEntry];
}

/**
 * Of companions of which both sides have other contents, all that stay are of one side: a picture with the settings that
 * were made for it. Of pictures that both sides added it is the side that alone added more companions, which would be left
 * with another picture; else the side that has the newest of them.
 * @returns for objects in such a contest, the side whose content stays
 */
export function companionSides(files: readonly MergeObject[]): ReadonlyMap<MergeObject, SideNumber> {
  const groups = new Map<string, Contest[]>();
  for (const contest of [...bothEdited(files), ...bothAdded(files)]) {
    const [first, second] = contest.sides;
    const stem = companionStemAt(first.path);
    if (stem !== companionStemAt(second.path)) continue;
    const group = groups.get(stem);
    if (group === undefined) groups.set(stem, [contest]);
    else group.push(contest);
  }
  if (groups.size === 0) return new Map();
  const contested = new Set([...groups.values()].flat().flatMap(({ objects }) => objects));
  const alone = addedAlone(
    files.filter((object) => isNew(object) && !contested.has(object)),
    groups,
  );
  const sides = new Map<MergeObject, SideNumber>();
  for (const [stem, group] of groups) {
    const side = sideOf(group, alone.get(stem));
    if (side !== undefined)
      for (const object of group.flatMap(({ objects }) => objects)) sides.set(object, side);
  }
  return sides;
}

/** Undefined: each by itself. */
function sideOf(
  group: readonly Contest[],
  alone: ReadonlySet<SideNumber> = new Set(),
): SideNumber | undefined {
  const [only] = alone;
  if (alone.size === 1 && group.every(({ objects }) => objects.every(isNew))) return only;
  return group.length > 1 ? sideOfNewest(group) : undefined;
}

/** Nobody else has it. */
function isNew({ base, sides: [first, second] }: MergeObject): boolean {
  return base === undefined && (first === undefined || second === undefined);
}

/** Which sides added something of these stems that the other has not. */
function addedAlone(
  added: readonly MergeObject[],
  stems: ReadonlyMap<string, unknown>,
): ReadonlyMap<string, ReadonlySet<SideNumber>> {
  const ofPaths = new Map<RepoPath, SideNumber | 'both'>();
  for (const { sides } of added) {
    const side = sides[0] === undefined ? 1 : 0;
    const { path } = sides[side] as MergeEntry;
    if (stems.has(companionStemAt(path))) ofPaths.set(path, ofPaths.has(path) ? 'both' : side);
  }
  const found = new Map<string, Set<SideNumber>>();
  for (const [path, side] of ofPaths) {
    const stem = companionStemAt(path);
    if (side !== 'both') found.set(stem, (found.get(stem) ?? new Set()).add(side));
  }
  return found;
}

function* bothEdited(files: readonly MergeObject[]): Generator<Contest> {
  for (const object of files) {
    const { base, sides } = object;
    const [first, second] = sides;
    if (first === undefined || second === undefined || !areContents(first, second)) continue;
    const isEdited = (entry: MergeEntry): boolean =>
      base === undefined || !isSameContent(base.record, entry.record);
    if (isEdited(first) && isEdited(second)) yield { objects: [object], sides: [first, second] };
  }
}

function* bothAdded(files: readonly MergeObject[]): Generator<Contest> {
  const added = new Map<RepoPath, MergeObject>();
  for (const object of files) {
    const [first, second] = object.sides;
    if (object.base === undefined && first !== undefined && second === undefined)
      added.set(first.path, object);
  }
  if (added.size === 0) return;
  for (const object of files) {
    const [, second] = object.sides;
    if (object.base !== undefined || object.sides[0] !== undefined || second === undefined) continue;
    const other = added.get(second.path);
    const first = other?.sides[0];
    if (other === undefined || first === undefined || !areContents(first, second)) continue;
    yield { objects: [other, object], sides: [first, second] };
  }
}

/** Files with other bytes: of a file and a link the file stays. */
function areContents({ record: a }: MergeEntry, { record: b }: MergeEntry): boolean {
  return a.type === 'file' && b.type === 'file' && a.blake3 !== b.blake3;
}

/** Undefined: both have the same one as their newest. */
function sideOfNewest(group: readonly Contest[]): SideNumber | undefined {
  const newest = ([0, 1] as const).map(
    (side) =>
      group
        .map(({ sides }) => sides[side].record)
        .sort(compareContents)
        .at(-1)!,
  );
  const order = compareContents(newest[0]!, newest[1]!);
  return order === 0 ? undefined : order > 0 ? 0 : 1;
}
