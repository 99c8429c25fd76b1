import { withoutNotes } from '../beside.ts';
import type { RecordAt } from '../compare.ts';
import type { ContentHash } from '../ids.ts';
import { formatJson, isJsonObject, type JsonObject } from '../json.ts';
import { compareNames, comparePaths, joinPath, nameOf, parentOf, type RepoPath } from '../path.ts';
import type { Rec } from '../record.ts';
import { compareContents, compareMtimes } from './fields.ts';
import { CONFLICT_KINDS, type ConflictKind } from './input.ts';

export interface ConflictVersion {
  /** Where it is, or was when the conflict arose. */
  readonly path: RepoPath;
  /** Absent for folders. */
  readonly blake3?: ContentHash;
}

/** A conflict that a tree has still, told by the records of those that are in it. */
export interface TreeConflict {
  /** Of the version that stays. */
  readonly path: RepoPath;
  readonly kind: ConflictKind;
  /** By path. */
  readonly versions: readonly ConflictVersion[];
  /** By path. At least one. */
  readonly entries: readonly RecordAt[];
}

/** Conflicts of which records tell, by path. What a newer bk wrote and this one does not understand is passed over. */
export function treeConflicts(entries: Iterable<RecordAt>): TreeConflict[] {
  const groups = new Map<string, RecordAt[]>();
  for (const entry of entries) {
    const { conflict } = entry.record;
    if (conflict === undefined || !isKind(conflict.kind)) continue;
    // What tells of itself alone is no part of another that looks the same.
    const key = isAlone(conflict.kind) ? `${entry.path}/` : formatJson(conflict);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  const found = [...groups.values()].map((group) => conflictOf(group.sort(byPath)));
  return found.sort((a, b) => comparePaths(a.path, b.path) || compareNames(a.kind, b.kind));
}

function isKind(kind: unknown): kind is ConflictKind {
  return (CONFLICT_KINDS as readonly unknown[]).includes(kind);
}

/** Kinds of which only one entry tells. */
function isAlone(kind: ConflictKind): boolean {
  return (
    kind === 'delete-edit' || kind === 'rename-rename' || kind === 'directory-rename-split' || kind === 'case'
  );
}

function byPath(a: { readonly path: RepoPath }, b: { readonly path: RepoPath }): number {
  return comparePaths(a.path, b.path);
}

function conflictOf(entries: readonly RecordAt[]): TreeConflict {
  const conflict = entries[0]!.record.conflict!;
  const kind = conflict.kind as ConflictKind;
  const versions = versionsIn(conflict).map((version) => atPresent(version, entries));
  return { path: stayingPath(kind, entries), kind, versions: versions.sort(byPath), entries };
}

function versionsIn({ versions }: JsonObject): ConflictVersion[] {
  if (!Array.isArray(versions)) return [];
  return versions.flatMap((one): ConflictVersion[] => {
    if (!isJsonObject(one) || typeof one.path !== 'string') return [];
    const path = one.path as RepoPath;
    return typeof one.blake3 === 'string' ? [{ path, blake3: one.blake3 as ContentHash }] : [{ path }];
  });
}

/** A version that was moved since is told by its content. */
function atPresent(version: ConflictVersion, entries: readonly RecordAt[]): ConflictVersion {
  if (entries.some(({ path }) => path === version.path)) return version;
  const moved = entries.filter(
    ({ record }) => version.blake3 !== undefined && record.blake3 === version.blake3,
  );
  const kind = entries[0]!.record.conflict!.kind as ConflictKind;
  return moved.length === 1 && !isAlone(kind) ? { ...version, path: moved[0]!.path } : version;
}

function stayingPath(kind: ConflictKind, entries: readonly RecordAt[]): RepoPath {
  const first = entries[0]!;
  if (kind === 'file-directory') return original(first.path);
  const plain = entries.filter(({ path }) => path === original(path));
  if (plain.length === 1) return plain[0]!.path;
  return [...entries].sort((a, b) => compareContents(b.record, a.record) || byPath(a, b))[0]!.path;
}

function original(path: RepoPath): RepoPath {
  return joinPath(parentOf(path), withoutNotes(nameOf(path), 'conflict'));
}

/** Which version is to stay. `path`: the one there. */
export type Keep =
  | { readonly what: 'both' }
  | { readonly what: 'newest' }
  | { readonly what: 'deletion' }
  | KeepOne;

type KeepOne =
  | { readonly what: 'path'; readonly path: RepoPath }
  | { readonly what: 'repository'; readonly name: string };

/** A record that stays, without the conflict. A folder that comes from elsewhere comes with all that is in it. */
export interface Kept extends RecordAt {
  /** Where it was, if that is another path. */
  readonly from?: RepoPath;
}

/** What becomes of a conflict's entries. */
export interface Resolution {
  readonly keep: readonly Kept[];
  /** Files, or folders with all that is in them, that go from where they are. */
  readonly remove: readonly RecordAt[];
}

/**
 * How a conflict ends (SPEC 6). @param repositoryOf name of the repository that a version comes from
 * @returns a text: why it cannot be ended so (a clause)
 */
export function resolveConflict(
  conflict: TreeConflict,
  keep: Keep,
  repositoryOf: (version: ConflictVersion) => string | undefined,
): Resolution | string {
  if (keep.what === 'both') return cleared(conflict);
  if (keep.what === 'deletion') return deletion(conflict);
  const version = keep.what === 'newest' ? newest(conflict) : chosen(conflict, keep, repositoryOf);
  if (keep.what === 'repository' && version === undefined) return strange(conflict, keep.name, repositoryOf);
  switch (conflict.kind) {
    case 'content':
    case 'add-add':
    case 'rename-collision':
    case 'type':
      return oneOf(conflict, version);
    case 'atomic':
      return oneFolderOf(conflict, version);
    case 'file-directory':
      return keep.what === 'path' && version === undefined ? withoutFiles(conflict) : cleared(conflict);
    case 'rename-rename':
      return renamed(conflict, version);
    case 'delete-edit':
    case 'directory-rename-split':
    case 'case':
      return cleared(conflict);
    default:
      return conflict.kind satisfies never;
  }
}

/** Undefined: the one that stays, which need not be among the versions (a folder). */
function chosen(
  { versions, path }: TreeConflict,
  keep: KeepOne,
  repositoryOf: (version: ConflictVersion) => string | undefined,
): ConflictVersion | undefined {
  if (keep.what === 'path') return versions.find((version) => version.path === keep.path);
  const theirs = versions.filter((version) => repositoryOf(version) === keep.name);
  return theirs.find((version) => version.path === path) ?? theirs[0];
}

/** By the time of the files themselves; of folders and names, the one that stays anyway is of the later version. */
function newest({ kind, entries }: TreeConflict): ConflictVersion | undefined {
  if (isAlone(kind) || kind === 'file-directory' || kind === 'atomic') return undefined;
  const order = (a: RecordAt, b: RecordAt): number =>
    compareMtimes(b.record.mtime, a.record.mtime) ||
    compareNames(b.record.blake3 ?? '', a.record.blake3 ?? '');
  return [...entries].sort(order)[0];
}

function strange(
  { versions }: TreeConflict,
  name: string,
  repositoryOf: (version: ConflictVersion) => string | undefined,
): string {
  const names = [...new Set(versions.flatMap((version) => repositoryOf(version) ?? []))].sort(compareNames);
  const known = names.length === 0 ? '' : `; its versions are of ${names.join(', ')}`;
  return `no version of it is of ${name}${known}`;
}

/** All stay as they are; the conflict is over. */
function cleared({ entries }: TreeConflict): Resolution {
  return { keep: entries.map(withoutConflict), remove: [] };
}

function withoutConflict({ path, record }: RecordAt): RecordAt {
  const { conflict: _conflict, ...rest } = record;
  return { path, record: rest };
}

function deletion({ kind, entries }: TreeConflict): Resolution | string {
  if (kind !== 'delete-edit') return 'nobody deleted it: name the version that is to stay';
  return { keep: [], remove: entries };
}

/** One content stays, at the path of the one that stays anyway; of one object it becomes that object's. */
function oneOf({ kind, path, entries }: TreeConflict, version: ConflictVersion | undefined): Resolution {
  const stays = entries.find((entry) => entry.path === path) ?? entries[0]!;
  const winner = entries.find((entry) => entry.path === version?.path) ?? stays;
  const remove = entries.filter((entry) => entry !== winner);
  if (winner === stays) return { keep: [withoutConflict(stays)], remove };
  const record = kind === 'content' ? withContentOf(stays.record, winner.record) : winner.record;
  return { keep: [moved(winner.path, stays.path, record)], remove };
}

function moved(from: RepoPath, path: RepoPath, record: Rec): Kept {
  return { ...withoutConflict({ path, record }), from };
}

/** What the person gave an object stays with it; what belongs to the content comes with it. */
function withContentOf(object: Rec, content: Rec): Rec {
  const { hashes: _hashes, media: _media, target: _target, linked: _linked, ...kept } = object;
  const { type, blake3, size, mtime, target, hashes, media } = content;
  return {
    ...kept,
    type,
    ...(blake3 !== undefined && { blake3 }),
    ...(size !== undefined && { size }),
    ...(mtime !== undefined && { mtime }),
    ...(target !== undefined && { target }),
    ...(hashes !== undefined && { hashes }),
    ...(media !== undefined && { media }),
  };
}

function oneFolderOf({ path, entries }: TreeConflict, version: ConflictVersion | undefined): Resolution {
  const stays = entries.find((entry) => entry.path === path) ?? entries[0]!;
  const winner = entries.find((entry) => entry.path === version?.path) ?? stays;
  const remove = entries.filter((entry) => entry !== winner);
  if (winner === stays) return { keep: [withoutConflict(stays)], remove };
  return { keep: [moved(winner.path, stays.path, winner.record)], remove };
}

function withoutFiles({ entries }: TreeConflict): Resolution {
  return { keep: [], remove: entries };
}

/** The other of the two names that were wanted. */
function renamed(conflict: TreeConflict, version: ConflictVersion | undefined): Resolution {
  const entry = conflict.entries[0]!;
  if (version === undefined || version.path === entry.path) return cleared(conflict);
  return { keep: [moved(entry.path, version.path, entry.record)], remove: [] };
}
