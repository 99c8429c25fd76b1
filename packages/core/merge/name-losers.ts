import { besideNames } from '../beside.ts';
import { companionStemAt } from '../companions.ts';
import type { ObjectId } from '../ids.ts';
import { compareNames, type EncodedName, joinPath, nameOf, parentOf, type RepoPath } from '../path.ts';
import type { Rec } from '../record.ts';
import { conflictName, conflictNote } from './conflict-name.ts';
import { compareContents, compareMtimes, copyId } from './fields.ts';
import type { ConflictKind, MergeConflict, Version } from './input.ts';
import type { Placed } from './placed.ts';
import { haveSamePayload } from './same-payload.ts';

/** An entry of the merged tree that is in a conflict. */
export interface Contested extends VersionAt {
  readonly kind: ConflictKind;
  readonly versions: readonly VersionAt[];
}

export interface VersionAt {
  readonly path: RepoPath;
  readonly record: Rec;
}

/** All that wants one path, and the contents that do not stay there. */
export interface Rivals {
  readonly path: RepoPath;
  readonly kind: ConflictKind;
  readonly stays: Placed | undefined;
  readonly losers: readonly Contender[];
}

export interface Contender {
  readonly record: Rec;
  readonly version: Version | undefined;
  /** A content that does not stay with its object, as an object of its own. */
  readonly isCopy: boolean;
}

/**
 * Names are given in an order that follows from what is named. Companions that one repository loses get one note, so that
 * they are companions under their new names, too.
 * @param all sorted by path
 */
export function nameRivals(
  all: readonly Rivals[],
  ids: Map<ObjectId, Rec>,
  isTaken: (path: RepoPath) => boolean,
): { readonly contested: readonly Contested[]; readonly conflicts: readonly MergeConflict[] } {
  const contested: Contested[] = [];
  const conflicts: MergeConflict[] = [];
  const given = nameCompanions(all, isTaken);
  const taken = new Set(given.values());
  const isNotFree = (candidate: RepoPath): boolean => taken.has(candidate) || isTaken(candidate);
  for (const rivals of all) {
    const { path, kind, stays } = rivals;
    const named = nameLosers(rivals, { given, ids, isNotFree });
    for (const loser of named) taken.add(loser.path);
    const versions = stays === undefined ? named : [...named, { path, record: stays.entry.record }];
    contested.push(...versions.map((version) => ({ ...version, kind, versions })));
    const kept = named.map((loser) => loser.path).sort(compareNames);
    const isSame = haveSamePayload(versions.map(({ record }) => record));
    conflicts.push({ path, kind, kept, ...(isSame && { same: 'payload' }) });
  }
  return { contested, conflicts };
}

/** The one that stays first. */
export function byContent(a: { readonly record: Rec }, b: { readonly record: Rec }): number {
  return compareContents(b.record, a.record) || compareNames(a.record.id, b.record.id);
}

interface Names {
  /** Losers that have their names. */
  readonly given: ReadonlyMap<Contender, RepoPath>;
  readonly ids: Map<ObjectId, Rec>;
  readonly isNotFree: (path: RepoPath) => boolean;
}

function nameLosers({ path, losers }: Rivals, { given, ids, isNotFree }: Names): VersionAt[] {
  const folder = parentOf(path);
  const own = new Set<RepoPath>();
  const isTaken = (name: EncodedName): boolean => {
    const candidate = joinPath(folder, name);
    return own.has(candidate) || isNotFree(candidate);
  };
  return [...losers].sort(byContent).map((loser) => {
    const { record, version, isCopy } = loser;
    const named =
      given.get(loser) ?? joinPath(folder, conflictName(nameOf(path), version, record.mtime, isTaken));
    own.add(named);
    return { path: named, record: isCopy ? withFreeId(record, ids) : record };
  });
}

interface LoserAt {
  readonly loser: Contender;
  readonly path: RepoPath;
}

/** Of each path the first loser of a repository, if the repository loses companions of it, too. */
function nameCompanions(
  all: readonly Rivals[],
  isTaken: (path: RepoPath) => boolean,
): Map<Contender, RepoPath> {
  const given = new Map<Contender, RepoPath>();
  const taken = new Set<RepoPath>();
  for (const group of companionLosers(all)) {
    const [{ path, loser }] = group;
    const folder = parentOf(path);
    const times = group.flatMap(({ loser: { record } }) => record.mtime ?? []).sort(compareMtimes);
    const names = besideNames(
      group.map((one) => nameOf(one.path)),
      conflictNote(loser.version?.repository ?? 'bk', times[0]),
      (name) => taken.has(joinPath(folder, name)) || isTaken(joinPath(folder, name)),
    );
    for (const [i, name] of names.entries()) {
      given.set(group[i]!.loser, joinPath(folder, name));
      taken.add(joinPath(folder, name));
    }
  }
  return given;
}

/** Sorted by path, at least two of each group. */
function companionLosers(all: readonly Rivals[]): (readonly [LoserAt, ...LoserAt[]])[] {
  const groups = new Map<string, [LoserAt, ...LoserAt[]]>();
  for (const { path, losers } of all) {
    const repositories = new Set<string | undefined>();
    for (const loser of [...losers].sort(byContent)) {
      const repository = loser.version?.repository;
      if (repositories.has(repository)) continue;
      repositories.add(repository);
      const key = `${companionStemAt(path)}\0${repository ?? ''}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [{ loser, path }]);
      else group.push({ loser, path });
    }
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

/** A copy of this content was made before, and lives on as an object of its own. */
function withFreeId(record: Rec, ids: Map<ObjectId, Rec>): Rec {
  let { id } = record;
  while (ids.has(id)) id = copyId(id, record);
  const free = { ...record, id };
  ids.set(id, free);
  return free;
}
