import {
  type ContentHash,
  type DepartedVersion,
  DIRECTORY_RECORD,
  type GitId,
  groupCompanions,
  isInside,
  joinPath,
  nameOf,
  PLAIN_FOLDER_MODE,
  parentOf,
  parseMode,
  parseMtime,
  parseRecord,
  type Rec,
  type RepoPath,
  type TrackedEntry,
} from '@bk/core';
import { type DepartedRow, findInTree, type HistoryReader, walkTree } from '@bk/store';
import type { Decision } from '../observe/decide.ts';
import type { Repository } from '../repository.ts';
import { fileNames } from '../subset/tree.ts';
import type { Sought } from './sources.ts';

/** An earlier version of a path, with what helps to find its content. */
export interface Version extends DepartedVersion {
  /** Of its file when it was last seen; 0n: not known. */
  readonly inode: bigint;
  /** What the file system here had made of it. */
  readonly seen?: { readonly mtimeNs: bigint } | undefined;
  /** The commit that no longer has it; null: no commit yet says that it is gone. */
  readonly deletedIn: GitId | null;
}

/** What stands for a commit in a departed row of a version that no commit ever had (`restore` replaced it). */
export function uncommittedMark(blake3: ContentHash): GitId {
  return blake3.slice(0, 40) as GitId;
}

/** Everything that left: listed in the index, or gone since the last commit. */
export function departedVersions(repo: Repository, decision: Decision, nowMs: number): Version[] {
  const versions = repo.index.departed.all().map(versionOfRow);
  const { deleted, entries } = decision.identified;
  const now = { nowMs, head: repo.head ?? ('' as GitId), history: repo.history };
  for (const tracked of deleted)
    versions.push(versionOfTracked(tracked, tracked.path, { ...now, reason: 'deleted' }));
  for (const { seen, object } of entries) {
    if (object.kind !== 'known' || object.tracked.type === 'dir') continue;
    if (
      seen.blake3 !== undefined &&
      seen.blake3 === object.tracked.blake3 &&
      seen.type === object.tracked.type
    )
      continue;
    const later = firstRemembered(versions, seen.path);
    const nowOrBefore = later === undefined ? now : { ...now, nowMs: later - 1 };
    versions.push(versionOfTracked(object.tracked, seen.path, { ...nowOrBefore, reason: 'replaced' }));
  }
  return versions;
}

/** When `restore` first replaced something at a path that no commit had: the head's version had left before. */
function firstRemembered(versions: readonly Version[], path: RepoPath): number | undefined {
  const times = versions
    .filter((version) => version.path === path && version.deletedIn === null)
    .map(({ timeMs }) => timeMs);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Everything that a commit had at or below some paths, companions of files included; what is at its path now too counts as replaced, not as deleted. */
export function versionsAt(
  repo: Pick<Repository, 'history'>,
  at: {
    readonly commit: GitId;
    readonly paths: readonly RepoPath[];
    readonly isHere: (path: RepoPath) => boolean;
  },
): Version[] {
  const { tree, committer } = repo.history.readCommit(at.commit);
  const versions = new Map<RepoPath, Version>();
  for (const { path, rec } of recordsAt(repo.history, tree, withCompanions(repo.history, tree, at.paths))) {
    const reason = rec.type !== 'dir' && at.isHere(path) ? 'replaced' : 'deleted';
    const found = {
      path,
      departedIn: at.commit,
      deletedIn: at.commit,
      timeMs: committer.timeSec * 1000,
      confirmed: false,
      reason,
      inode: 0n,
    };
    versions.set(path, { ...factsOf(rec), ...found } as Version);
  }
  return [...versions.values()];
}

function withCompanions(history: HistoryReader, tree: GitId, paths: readonly RepoPath[]): RepoPath[] {
  const groups = new Map<RepoPath, ReturnType<typeof groupCompanions>>();
  const groupsIn = (folder: RepoPath) => {
    const found = groups.get(folder) ?? groupCompanions(fileNames(history, tree, folder));
    groups.set(folder, found);
    return found;
  };
  return paths.flatMap((path) => {
    const folder = parentOf(path);
    return [path, ...(groupsIn(folder).get(nameOf(path)) ?? []).map((name) => joinPath(folder, name))];
  });
}

export interface PastRecord {
  readonly path: RepoPath;
  readonly rec: Rec;
  readonly record: GitId;
}

/** Records of a tree at or below paths (of folders: under the folder's own path). */
export function* recordsAt(
  history: HistoryReader,
  tree: GitId,
  paths: readonly RepoPath[],
): Generator<PastRecord> {
  for (const wanted of withoutNested(paths)) {
    const found = findInTree(history, tree, wanted);
    if (found === undefined) continue;
    const blobs =
      found.kind === 'blob' ? [{ path: wanted, id: found.id }] : walkTree(history, found.id, wanted);
    for (const { path, id } of blobs) {
      const own = nameOf(path) === DIRECTORY_RECORD;
      yield { path: own ? parentOf(path) : path, rec: parseRecord(history.readBlobText(id)), record: id };
    }
  }
}

/** The mode that a folder has in a tree; undefined if it is none there. */
export function folderModeAt(history: HistoryReader, tree: GitId, path: RepoPath): number | undefined {
  const found = findInTree(history, tree, path);
  if (found?.kind !== 'tree') return undefined;
  const own = findInTree(history, tree, joinPath(path, DIRECTORY_RECORD));
  return own === undefined ? PLAIN_FOLDER_MODE : parseMode(parseRecord(history.readBlobText(own.id)).mode);
}

/** What has to be known of contents to find them. */
export function soughtContents(
  versions: Iterable<{
    readonly type: string;
    readonly blake3?: ContentHash;
    readonly size: number;
    readonly mtimeNs: bigint;
    readonly seen?: { readonly mtimeNs: bigint } | undefined;
  }>,
): Sought {
  const sought = new Map<ContentHash, { size: number; times: Set<bigint> }>();
  for (const { type, blake3, size, mtimeNs, seen } of versions) {
    if (type !== 'file' || blake3 === undefined) continue;
    const known = sought.get(blake3) ?? { size, times: new Set() };
    sought.set(blake3, known);
    known.times.add(mtimeNs);
    if (seen !== undefined) known.times.add(seen.mtimeNs);
  }
  return sought;
}

export function factsOf(rec: Rec) {
  return {
    id: rec.id,
    type: rec.type,
    size: rec.size ?? 0,
    mtimeNs: rec.mtime === undefined ? 0n : parseMtime(rec.mtime),
    mode: parseMode(rec.mode),
    ...(rec.blake3 !== undefined && { blake3: rec.blake3 }),
    ...(rec.target !== undefined && { target: rec.target }),
  };
}

function withoutNested(paths: readonly RepoPath[]): RepoPath[] {
  const all = [...new Set(paths)];
  return all.filter((path) => !all.some((other) => other !== path && isInside(path, other)));
}

function versionOfRow(row: DepartedRow): Version {
  const { blake3, target, commit, timeSec, record: _record, released: _released, ...rest } = row;
  const never = blake3 !== undefined && commit === uncommittedMark(blake3);
  return {
    ...rest,
    departedIn: commit,
    deletedIn: never ? null : commit,
    timeMs: timeSec * 1000,
    ...(blake3 !== undefined && { blake3 }),
    ...(target !== undefined && { target }),
  };
}

interface Gone {
  readonly nowMs: number;
  readonly head: GitId;
  readonly history: HistoryReader;
  readonly reason: 'deleted' | 'replaced';
}

/** The record says it all; the index only says which inode it was. */
function versionOfTracked(
  tracked: TrackedEntry,
  path: RepoPath,
  { nowMs, head, history, reason }: Gone,
): Version {
  const rec = parseRecord(history.readBlobText(tracked.record));
  const { inode } = tracked;
  return {
    ...factsOf(rec),
    path,
    inode: BigInt.asUintN(64, inode),
    departedIn: head,
    deletedIn: null,
    timeMs: nowMs,
    confirmed: false,
    reason,
  };
}
