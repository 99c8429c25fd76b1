import { comparePaths, KIND, type PathProblem, type RepoPath, type TrackedEntry } from '@bk/core';
import type { IndexDb } from '@bk/store';
import { type Draft, type Found, foundEntry, hasOwnRecord, trackedEntry } from './draft.ts';
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
  readonly unreadable: readonly PathProblem[];
}

export function survey(observation: Observation, index: IndexDb, grainNs: bigint): Survey {
  const gone: TrackedEntry[] = [];
  const occupied: { tracked: TrackedEntry; seen: Found }[] = [];
  const added: Found[] = [];
  const goneFolders: { tracked: TrackedEntry }[] = [];
  const held = new Set<RepoPath>();
  const unreadable = [...observation.unreadable];
  const untouchable = new Set(unreadable.map(({ path }) => path));
  for (const draft of observation.drafts.values()) {
    sortEntries(draft, grainNs, { occupied, added });
    for (const entry of missing(draft, grainNs)) if (!untouchable.has(entry.path)) gone.push(entry);
  }
  for (const path of observation.vanished) {
    const below = [...index.below(path)];
    const mount = below.find(([, known]) => known.mount);
    if (mount !== undefined) {
      unreadable.push({ path: mount[0], reason: 'offline: nothing is mounted here now' });
      held.add(path);
      continue;
    }
    for (const [folder, known] of below) {
      const { kinds } = known.listing;
      for (let k = 1; k < kinds.length; k++)
        if (kinds[k] !== KIND.dir) gone.push(trackedEntry(folder, known, k, grainNs));
      if (hasOwnRecord(known)) goneFolders.push({ tracked: trackedEntry(folder, known, 0) });
    }
  }
  // The head goes on to have a folder there: what has taken its place can be recorded when the folder is back or gone.
  for (const { path } of added)
    if (held.has(path)) unreadable.push({ path, reason: 'in the place of a folder that is offline' });
  const byPath = (a: { path: RepoPath }, b: { path: RepoPath }) => comparePaths(a.path, b.path);
  return {
    gone: gone.sort(byPath),
    occupied: occupied.sort((a, b) => comparePaths(a.seen.path, b.seen.path)),
    added: added.filter(({ path }) => !held.has(path)).sort(byPath),
    goneFolders,
    unreadable: unreadable.sort(byPath),
  };
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
    else occupied.push({ tracked: trackedEntry(draft.path, known, k, grainNs), seen: foundEntry(draft, i) });
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
    if (here[k] === 0 && known.listing.kinds[k] !== KIND.dir)
      yield trackedEntry(draft.path, known, k, grainNs);
  }
}
