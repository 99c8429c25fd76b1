import type { Change } from './change.ts';
import type { ObjectId } from './ids.ts';
import { parentOf, type RepoPath } from './path.ts';

/** Which folders there were and are, with a record of their own or without. */
export interface Folders {
  readonly before: (path: RepoPath) => boolean;
  readonly now: (path: RepoPath) => boolean;
}

/** Folders and, of those that came or went as a whole, whether anything was or is in them. */
export interface FolderFacts extends Folders {
  readonly filledBefore: (path: RepoPath) => boolean;
  readonly filledNow: (path: RepoPath) => boolean;
}

/** A folder's own record, as far as people see it. */
export interface FolderState {
  readonly path: RepoPath;
  /** Absent: new. */
  readonly id?: ObjectId;
  readonly mode: number;
}

/** The mode of a folder that has no record. */
export const PLAIN_FOLDER_MODE = 0o755;

/**
 * What to tell people of a folder whose record came, went or stayed: only what its files do not tell. That is: an
 * empty folder was added, deleted or renamed, or the mode changed. That a record came because the folder became empty,
 * or went because something came into it, is housekeeping of the format and no change.
 */
export function folderChange(
  before: FolderState | undefined,
  now: FolderState | undefined,
  facts: FolderFacts,
): Change | undefined {
  if (before === undefined) return now === undefined ? undefined : recordCame(now, facts);
  if (now === undefined) return recordWent(before, facts);
  const fields = before.mode === now.mode ? {} : { fields: ['mode'] };
  if (before.path !== now.path && !facts.filledBefore(before.path) && !facts.filledNow(now.path)) {
    return { type: 'renamed', path: now.path, from: before.path, ...identity(before), ...fields };
  }
  return before.mode === now.mode ? undefined : modeChange(now.path, before);
}

function recordCame(now: FolderState, facts: FolderFacts): Change | undefined {
  if (facts.before(now.path)) return now.mode === PLAIN_FOLDER_MODE ? undefined : modeChange(now.path, now);
  return facts.filledNow(now.path) ? undefined : { type: 'added', path: now.path, ...identity(now) };
}

function recordWent(before: FolderState, facts: FolderFacts): Change | undefined {
  if (facts.now(before.path)) {
    return before.mode === PLAIN_FOLDER_MODE ? undefined : modeChange(before.path, before);
  }
  return facts.filledBefore(before.path)
    ? undefined
    : { type: 'deleted', path: before.path, ...identity(before) };
}

function modeChange(path: RepoPath, of: FolderState): Change {
  return { type: 'metadata', path, ...identity(of), fields: ['mode'] };
}

function identity({ id }: FolderState): { readonly id?: ObjectId; readonly size: number } {
  return id === undefined ? { size: 0 } : { id, size: 0 };
}

/** Every folder above one of these paths. */
export function foldersAbove(paths: Iterable<RepoPath>): Set<RepoPath> {
  const folders = new Set<RepoPath>();
  for (const path of paths) {
    for (let folder = parentOf(path); !folders.has(folder); folder = parentOf(folder)) folders.add(folder);
  }
  return folders;
}
