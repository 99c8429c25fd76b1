import {
  comparePaths,
  foldersAbove,
  hasAbsent,
  hasOwnRecord,
  isWhollyAbsent,
  KIND,
  type KnownDirectory,
  type PathProblem,
  PROTECTION,
  parentOf,
  type RepoPath,
  type TrackedEntry,
} from '@bk/core';
import type { IndexDb } from '@bk/store';
import { type Draft, entryPath, type Found, foundEntry, trackedEntry } from './draft.ts';
import type { Observation } from './observe.ts';

/** What an observation means for the head's objects, before identity is decided. */
export interface Survey {
  /** Files and links that are not at their path any more, shown by complete listings. */
  readonly gone: readonly TrackedEntry[];
  /** Files and links at a path of the head's that the index does not vouch for. */
  readonly occupied: readonly { readonly tracked: TrackedEntry; readonly seen: Found }[];
  readonly added: readonly Found[];
  /** Folders with records of their own in the head that are not there any more. */
  readonly goneFolders: readonly { readonly tracked: TrackedEntry }[];
  /** Of those that are not there any more, the folders above something that is absent by design: their records stay. */
  readonly carried: readonly RepoPath[];
  /** In the place of what the head goes on to have: nothing at or below these can be recorded. */
  readonly held: ReadonlySet<RepoPath>;
  readonly unreadable: readonly PathProblem[];
}

/** What is absent by design is never gone: the head keeps it, and the folders above it. */
export function survey(observation: Observation, index: IndexDb, grainNs: bigint): Survey {
  const gone: TrackedEntry[] = [];
  const occupied: { tracked: TrackedEntry; seen: Found }[] = [];
  const added: Found[] = [];
  const goneFolders: { tracked: TrackedEntry }[] = [];
  const carried: RepoPath[] = [];
  const offline = new Set<RepoPath>();
  const held = new Set<RepoPath>();
  const unreadable = [...observation.unreadable];
  const untouchable = new Set(unreadable.map(({ path }) => path));
  for (const draft of observation.drafts.values()) {
    sortEntries(draft, grainNs, { occupied, added });
    for (const path of displacing(draft)) {
      unreadable.push({ path, reason: 'in the place of a file that is not here' });
      held.add(path);
    }
    for (const entry of missing(draft, grainNs)) if (!untouchable.has(entry.path)) gone.push(entry);
  }
  for (const path of observation.vanished) {
    const below = [...index.below(path)];
    const mount = below.find(([, known]) => known.mount && !isWhollyAbsent(known));
    if (mount !== undefined) {
      unreadable.push({ path: mount[0], reason: 'offline: nothing is mounted here now' });
      offline.add(path);
      held.add(path);
      continue;
    }
    const above = foldersAboveAbsent(below);
    for (const [folder, known] of below) {
      const { kinds } = known.listing;
      for (let k = 1; k < kinds.length; k++)
        if (kinds[k] !== KIND.dir && known.protections[k] !== PROTECTION.absent)
          gone.push(trackedEntry(folder, known, k, grainNs));
      if (above.has(folder)) carried.push(folder);
      else if (hasOwnRecord(known)) goneFolders.push({ tracked: trackedEntry(folder, known, 0) });
    }
  }
  // The head goes on to have a folder there: what has taken its place can be recorded when the folder is back or gone.
  const some = index.absent.any;
  for (const { path } of added) {
    if (offline.has(path)) unreadable.push({ path, reason: 'in the place of a folder that is offline' });
    else if (some && index.row(path) !== undefined && index.absent.has(path)) {
      unreadable.push({ path, reason: 'in the place of a folder that is not here' });
      held.add(path);
    }
  }
  const byPath = (a: { path: RepoPath }, b: { path: RepoPath }) => comparePaths(a.path, b.path);
  return {
    gone: gone.sort(byPath),
    occupied: occupied.sort((a, b) => comparePaths(a.seen.path, b.seen.path)),
    added: added.filter(({ path }) => !isAtOrBelow(path, held)).sort(byPath),
    held,
    goneFolders,
    carried,
    unreadable: unreadable.sort(byPath),
  };
}

/** Of a folder and all below it, those that have something absent in them or below. */
function foldersAboveAbsent(below: readonly (readonly [RepoPath, KnownDirectory])[]): Set<RepoPath> {
  const having = below.filter(([, known]) => hasAbsent(known)).map(([folder]) => folder);
  return new Set([...having, ...foldersAbove(having)]);
}

interface Sorted {
  readonly occupied: { tracked: TrackedEntry; seen: Found }[];
  readonly added: Found[];
}

function sortEntries(draft: Draft, grainNs: bigint, { occupied, added }: Sorted): void {
  const { listing, known } = draft;
  for (let i = 1; i < listing.names.length; i++) {
    const kind = listing.kinds[i];
    if (draft.excluded[i] === 1 || draft.vouched[i] === 1 || kind === KIND.dir) continue;
    const k = draft.knownPlace[i]!;
    if (known === undefined || k < 0 || known.listing.kinds[k] === KIND.dir) added.push(foundEntry(draft, i));
    else if (known.protections[k] === PROTECTION.absent && known.listing.kinds[k] !== kind) continue;
    else occupied.push({ tracked: trackedEntry(draft.path, known, k, grainNs), seen: foundEntry(draft, i) });
  }
}

/** Entries in the place of a file or link that is absent by design and of another type. */
function* displacing({ path, listing, known, knownPlace, excluded }: Draft): Generator<RepoPath> {
  if (known === undefined || !hasAbsent(known)) return;
  for (let i = 1; i < listing.names.length; i++) {
    const k = knownPlace[i]!;
    if (k < 0 || excluded[i] === 1 || known.protections[k] !== PROTECTION.absent) continue;
    const kind = known.listing.kinds[k];
    if (kind !== KIND.dir && kind !== listing.kinds[i]) yield entryPath(path, listing, i);
  }
}

/** Whether a path, or a folder above it, is one of these. */
export function isAtOrBelow(path: RepoPath, folders: ReadonlySet<RepoPath>): boolean {
  if (folders.size === 0) return false;
  for (let at = path; ; at = parentOf(at)) {
    if (folders.has(at)) return true;
    if (at === '') return false;
  }
}

/** Tracked files and links of a directory that its complete listing does not have as such. */
function* missing(draft: Draft, grainNs: bigint): Generator<TrackedEntry> {
  const { known, listing } = draft;
  if (known === undefined) return;
  const here = new Uint8Array(known.listing.names.length);
  for (let i = 1; i < listing.names.length; i++) {
    const k = draft.knownPlace[i]!;
    const kind = listing.kinds[i];
    if (k >= 0 && (kind === KIND.file || kind === KIND.symlink)) here[k] = 1;
  }
  for (let k = 1; k < here.length; k++) {
    if (here[k] === 0 && known.listing.kinds[k] !== KIND.dir && known.protections[k] !== PROTECTION.absent)
      yield trackedEntry(draft.path, known, k, grainNs);
  }
}
