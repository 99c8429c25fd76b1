import {
  type Change,
  changesOf,
  type ContentHash,
  comparePaths,
  type DepartedObject,
  type Identified,
  type IdentifiedEntry,
  identify,
  isInside,
  KIND,
  type Observed,
  type PathProblem,
  PLAIN_FOLDER_MODE,
  type RepoPath,
  type SeenEntry,
  settle,
  type TrackedEntry,
  wanted,
} from '@bk/core';
import type { IndexDb } from '@bk/store';
import { type Draft, type Found, foundEntry, hasOwnRecord, trackedEntry } from './draft.ts';
import type { Observation } from './observe.ts';
import { type Contents, readFound } from './contents.ts';
import { PendingHashes } from './pending.ts';
import type { Pool } from './pool.ts';
import { type Survey, survey, trackedFolders } from './survey.ts';

/** Everything that differs from the head, each thing with the object that it is. */
export interface Decision {
  readonly observation: Observation;
  readonly identified: Identified;
  readonly changes: readonly Change[];
  readonly unreadable: readonly PathProblem[];
  readonly skipped: readonly PathProblem[];
  /** Contents and link targets that were read; settled and vouched ones are not here. */
  readonly contents: Contents;
  /** Names of one inode: its paths, for those that have more than one. */
  readonly linked: ReadonlyMap<RepoPath, readonly RepoPath[]>;
  /** Of the file system's clock. */
  readonly grainNs: bigint;
}

export interface DecideOptions {
  readonly root: string;
  readonly index: IndexDb;
  readonly pool: Pool;
  /** Read everything whose content is not settled, or only what changes the answer. */
  readonly all: boolean;
  /** Called with what was read as soon as it is clear that nothing but additions will come of it. */
  readonly onAdded?: (batch: readonly Found[], contents: Contents) => void;
  /** Keep the hashes that are made in case of an interruption; only while writing. */
  readonly keepHashes: boolean;
  readonly grainNs: bigint;
  readonly totals?: (files: number, bytes: number) => void;
}

/** Which object is each file? Reads contents only where stats do not settle it. */
export async function decide(observation: Observation, options: DecideOptions): Promise<Decision> {
  const { index } = options;
  const surveyed = survey(observation, index, options.grainNs);
  const folders = surveyFolders(observation, surveyed, index);
  let observed: Observed = settle({
    gone: [...surveyed.gone, ...folders.gone].sort((a, b) => comparePaths(a.path, b.path)),
    occupied: [...surveyed.occupied, ...folders.occupied],
    added: [...surveyed.added, ...folders.added],
  });
  const contents: Contents = { hashes: new Map(), targets: new Map(), failures: new Map() };
  const pending = new PendingHashes(index);
  const onlyAdded = observed.gone.length === 0 && observed.occupied.length === 0;
  const onBatch = (batch: readonly Found[]): void => {
    if (options.keepHashes) pending.add(batch, contents);
    if (onlyAdded) options.onAdded?.(batch, contents);
  };
  for (let open = wanted(observed, options); open.length > 0; open = wanted(observed, options)) {
    await readUnlessPending(open as readonly Found[], contents, { ...options, pending, onBatch });
    observed = withContents(observed, contents);
  }
  const identified = identify({
    ...observed,
    departed: departedObjects(index, observed),
    objectsIn: (folder) => objectsIn(index, folder),
  });
  const failures = [...contents.failures].map(([path, reason]) => ({ path, reason }));
  return {
    observation,
    identified,
    changes: changesOf(identified, folders.existence),
    unreadable: [...surveyed.unreadable, ...failures].sort((a, b) => comparePaths(a.path, b.path)),
    skipped: observation.skipped,
    contents,
    linked: linkedPaths(observed),
    grainNs: options.grainNs,
  };
}

async function readUnlessPending(
  entries: readonly Found[],
  contents: Contents,
  options: DecideOptions & { readonly pending: PendingHashes; readonly onBatch: (batch: readonly Found[]) => void },
): Promise<void> {
  const { pending } = options;
  const open = entries.filter((found) => {
    const hash = found.type === 'file' ? pending.hashOf(found) : undefined;
    if (hash !== undefined) contents.hashes.set(found.path, hash);
    return hash === undefined;
  });
  await readFound(open, contents, options);
}

/** Fills in what was read. A file that could not be read is not judged: what the head has of it stays. */
function withContents(observed: Observed, { hashes, failures }: Contents): Observed {
  const filled = <T extends SeenEntry>(seen: T): T => {
    const blake3 = seen.blake3 ?? hashes.get(seen.path);
    return blake3 === seen.blake3 ? seen : { ...seen, blake3: blake3! };
  };
  return {
    gone: observed.gone,
    occupied: observed.occupied
      .filter(({ seen }) => !failures.has(seen.path))
      .map(({ tracked, seen }) => ({ tracked, seen: filled(seen) })),
    added: observed.added.filter(({ path }) => !failures.has(path)).map(filled),
  };
}

/** Deleted objects that may be back: with the content of something seen, or folders at a path seen. */
function departedObjects(index: IndexDb, observed: Observed): DepartedObject[] {
  const hashes = new Set<ContentHash>();
  const folders = new Set<RepoPath>();
  for (const { type, path, blake3 } of [...observed.added, ...observed.occupied.map(({ seen }) => seen)]) {
    if (type === 'dir') folders.add(path);
    else if (blake3 !== undefined) hashes.add(blake3);
  }
  return index.departed.deletedWith(hashes, folders) as DepartedObject[];
}

function objectsIn(index: IndexDb, folder: RepoPath): number {
  const kinds = index.known(folder)?.listing.kinds;
  let count = 0;
  for (const kind of kinds ?? []) if (kind !== KIND.dir) count++;
  return count;
}

interface FolderSurvey extends Observed {
  readonly gone: readonly TrackedEntry[];
  readonly existence: { readonly before: (path: RepoPath) => boolean; readonly now: (path: RepoPath) => boolean };
}

/** Folders' own records: an empty folder has one, and one whose mode is not the usual one. */
function surveyFolders(observation: Observation, surveyed: Survey, index: IndexDb): FolderSurvey {
  const gone: TrackedEntry[] = surveyed.goneFolders.map(({ tracked }) => tracked);
  const occupied: { tracked: TrackedEntry; seen: Found }[] = [];
  const added: Found[] = [];
  const outside = new Set([...surveyed.unreadable, ...observation.skipped].map(({ path }) => path));
  for (const draft of observation.drafts.values()) {
    const { known } = draft;
    const tracked = known !== undefined && hasOwnRecord(known) ? trackedEntry(draft.path, known, 0) : undefined;
    const needed = needsRecord(draft, outside, index);
    if (tracked !== undefined && !needed) gone.push(tracked);
    if (tracked === undefined && needed) added.push(foundEntry(draft, 0));
    if (tracked === undefined || !needed || tracked.mode === draft.listing.modes[0]) continue;
    occupied.push({ tracked, seen: foundEntry(draft, 0) });
  }
  const before = (path: RepoPath): boolean => index.row(path) !== undefined;
  const now = (path: RepoPath): boolean =>
    observation.drafts.has(path) || (before(path) && !observation.vanished.some((folder) => isInside(path, folder)));
  return { gone, occupied, added, existence: { before, now } };
}

function needsRecord(draft: Draft, outside: ReadonlySet<RepoPath>, index: IndexDb): boolean {
  const { listing } = draft;
  if (listing.modes[0] !== PLAIN_FOLDER_MODE) return true;
  for (let i = 1; i < listing.names.length; i++) {
    if (draft.excluded[i] === 0 && (listing.kinds[i] === KIND.file || listing.kinds[i] === KIND.symlink)) return false;
  }
  if (trackedFolders(draft, outside)) return false;
  // What could not be looked at keeps its place in the head's tree.
  for (const path of outside) {
    if (isInside(path, draft.path) && path !== draft.path && index.row(path) !== undefined) return false;
  }
  return true;
}

/** Seen files that share an inode, by path. Partners of a seen file are seen too: one change time serves them all. */
function linkedPaths(observed: Observed): Map<RepoPath, readonly RepoPath[]> {
  const groups = new Map<bigint, RepoPath[]>();
  for (const seen of [...observed.added, ...observed.occupied.map((pair) => pair.seen)]) {
    if (seen.type !== 'file' || seen.links < 2 || seen.inode === 0n) continue;
    const group = groups.get(seen.inode);
    if (group === undefined) groups.set(seen.inode, [seen.path]);
    else group.push(seen.path);
  }
  const linked = new Map<RepoPath, readonly RepoPath[]>();
  for (const group of groups.values()) if (group.length > 1) for (const path of group) linked.set(path, group);
  return linked;
}

/** The draft entry behind an identified one. */
export function foundOf(entry: IdentifiedEntry): Found {
  return entry.seen as Found;
}
