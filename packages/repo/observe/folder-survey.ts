import {
  decodeName,
  type Folders,
  foldersAbove,
  type GitId,
  hasLastingInode,
  hasOwnRecord,
  KIND,
  nameOf,
  type Observed,
  PLAIN_FOLDER_MODE,
  parentOf,
  type RepoPath,
  sameInode,
  type TrackedEntry,
} from '@bk/core';
import type { IndexDb } from '@bk/store';
import { type Draft, entryPath, type Found, foundEntry, trackedEntry } from './draft.ts';
import type { Observation } from './observe.ts';
import { isAtOrBelow, type Survey } from './survey.ts';

export interface FolderSurvey extends Observed {
  readonly gone: readonly TrackedEntry[];
  readonly existence: Folders;
}

/** What surveyFolders asks about the head. */
export interface FolderSources {
  readonly index: IndexDb;
  /** Whether a folder's record says more than its mode: it is an entity, or has attributes. */
  readonly saysMore: (record: GitId) => boolean;
}

/** Folders' own records: an empty folder has one, one whose mode is not the usual one, and one that carries more. */
export function surveyFolders(
  observation: Observation,
  surveyed: Survey,
  sources: FolderSources,
): FolderSurvey {
  const { index, saysMore } = sources;
  const gone: TrackedEntry[] = surveyed.goneFolders.map(({ tracked }) => tracked);
  const occupied: { tracked: TrackedEntry; seen: Found }[] = [];
  const added: Found[] = [];
  const outside = new Set([...surveyed.unreadable, ...observation.skipped].map(({ path }) => path));
  const holding = foldersAbove(tracked(outside, index));
  const some = index.absent.any;
  const telling = surveyed.goneFolders.map(({ tracked }) => tracked).filter(({ record }) => saysMore(record));
  const plain: Draft[] = [];
  for (const draft of observation.drafts.values()) {
    if (isAtOrBelow(draft.path, surveyed.held)) continue;
    const { known } = draft;
    const own = known !== undefined && hasOwnRecord(known) ? trackedEntry(draft.path, known, 0) : undefined;
    if (own?.absent === true) {
      // Somebody made the folder again: it is the recorded one if it has the recorded mode; else nothing is known of that one.
      if (own.mode === draft.listing.modes[0]) occupied.push({ tracked: own, seen: foundEntry(draft, 0) });
      continue;
    }
    const holds = (): boolean => holding.has(draft.path) || (some && index.absent.has(draft.path));
    const needed = needsRecord(draft, outside, holds) || (own !== undefined && saysMore(own.record));
    if (own !== undefined && !needed) gone.push(own);
    if (own === undefined) {
      if (needed) added.push(foundEntry(draft, 0));
      else plain.push(draft);
      continue;
    }
    const seen = foundEntry(draft, 0);
    const displaced = needed && isAnother(own, seen) && saysMore(own.record);
    if (displaced) telling.push(own);
    if (displaced || (needed && own.mode !== seen.mode)) occupied.push({ tracked: own, seen });
  }
  added.push(...homesOf(telling, plain));
  return { gone, occupied, added, existence: existence(observation, index) };
}

function isAnother(own: TrackedEntry, seen: Found): boolean {
  return hasLastingInode(own) && hasLastingInode(seen) && !sameInode(own, seen);
}

/**
 * Folders that need no record, but may be those whose records say more and that are not at their paths any more: by
 * their inodes, or, as files tell, new ones.
 */
function homesOf(telling: readonly TrackedEntry[], plain: readonly Draft[]): Found[] {
  if (telling.length === 0) return [];
  return plain
    .map((draft) => ({ draft, seen: foundEntry(draft, 0) }))
    .filter(({ draft, seen }) => {
      return draft.known === undefined || telling.some((own) => hasLastingInode(own) && sameInode(own, seen));
    })
    .map(({ seen }) => seen);
}

/** Whether all that a folder has makes no tree of its own: it would be lost without a record. */
export function isBare(draft: Draft, outside: ReadonlySet<RepoPath>): boolean {
  const { listing } = draft;
  for (let i = 1; i < listing.names.length; i++) {
    if (draft.excluded[i] === 1) continue;
    const kind = listing.kinds[i];
    if (kind === KIND.file || kind === KIND.symlink) return false;
    if (kind === KIND.dir && !outside.has(entryPath(draft.path, listing, i))) return false;
  }
  return true;
}

/**
 * What could not be looked at, or is not here by design, keeps its place in the head's tree: `holds` tells whether the
 * folder is above such places.
 */
function needsRecord(draft: Draft, outside: ReadonlySet<RepoPath>, holds: () => boolean): boolean {
  const mode = draft.listing.modes[0];
  // A file system without modes made something else of a plain folder, which the index remembers.
  const remembered =
    draft.known !== undefined && !hasOwnRecord(draft.known) && mode === draft.known.listing.modes[0];
  if (mode !== PLAIN_FOLDER_MODE && !remembered) return true;
  return isBare(draft, outside) && !holds();
}

/** Those of the paths where the head has something. */
function tracked(paths: Iterable<RepoPath>, index: IndexDb): RepoPath[] {
  const names = new Map<RepoPath, ReadonlySet<string>>();
  const namesIn = (folder: RepoPath): ReadonlySet<string> => {
    const known = names.get(folder) ?? new Set(index.known(folder)?.listing.names);
    names.set(folder, known);
    return known;
  };
  return [...paths].filter((path) => namesIn(parentOf(path)).has(decodeName(nameOf(path))));
}

function existence(observation: Observation, index: IndexDb): Folders {
  const vanished = new Set(observation.vanished);
  const isGone = (path: RepoPath): boolean => {
    for (let folder = path; ; folder = parentOf(folder)) {
      if (vanished.has(folder)) return true;
      if (folder === '') return false;
    }
  };
  const before = (path: RepoPath): boolean => index.row(path) !== undefined;
  return { before, now: (path) => observation.drafts.has(path) || (before(path) && !isGone(path)) };
}
