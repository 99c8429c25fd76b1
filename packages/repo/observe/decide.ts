import {
  type Change,
  type ContentHash,
  changesOf,
  comparePaths,
  type DepartedObject,
  foldersAbove,
  type Identified,
  identify,
  KIND,
  type KnownDirectory,
  type Observed,
  type PathProblem,
  PROTECTION,
  type RepoPath,
  type SeenEntry,
  settle,
  type TrackedEntry,
  wanted,
} from '@bk/core';
import type { IndexDb } from '@bk/store';
import { type Contents, readFound } from '../safety/contents.ts';
import type { Found } from './draft.ts';
import { type FolderSources, surveyFolders } from './folder-survey.ts';
import type { Observation } from './observe.ts';
import { PendingHashes } from './pending.ts';
import type { Pool } from './pool.ts';
import { withoutRewritten } from './rewritten.ts';
import { survey } from './survey.ts';

/** Everything that differs from the head, each thing with the object that it is. */
export interface Decision {
  readonly observation: Observation;
  readonly identified: Identified;
  readonly changes: readonly Change[];
  readonly unreadable: readonly PathProblem[];
  readonly skipped: readonly PathProblem[];
  /** Folders that are not here any more while entries below them are absent by design: their records stay in the head. */
  readonly carried: readonly RepoPath[];
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
  /** False: no stat and no hash that was kept counts, contents are read. */
  readonly believe: boolean;
  readonly saysMore: FolderSources['saysMore'];
  readonly payloadOf: (tracked: TrackedEntry) => ContentHash | undefined;
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
  const folders = surveyFolders(observation, surveyed, options);
  const raw: Observed = {
    gone: [...surveyed.gone, ...folders.gone].sort((a, b) => comparePaths(a.path, b.path)),
    occupied: [...surveyed.occupied, ...folders.occupied],
    added: [...surveyed.added, ...folders.added],
  };
  let observed = settled(raw, options.believe);
  const contents: Contents = {
    hashes: new Map(),
    targets: new Map(),
    facts: new Map(),
    failures: new Map(),
  };
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
    objectsIn: objectCounts(index),
    payloadOf: options.payloadOf,
  });
  const failures = [...contents.failures].map(([path, reason]) => ({ path, reason }));
  return {
    observation,
    identified,
    changes: await withoutRewritten(changesOf(identified, folders.existence), {
      entries: identified.entries,
      contents,
      ...options,
      payloadOf: ({ object }) => (object.kind === 'known' ? options.payloadOf(object.tracked) : undefined),
    }),
    unreadable: [...surveyed.unreadable, ...failures].sort((a, b) => comparePaths(a.path, b.path)),
    skipped: observation.skipped,
    carried: surveyed.carried,
    contents,
    linked: linkedPaths(observed),
    grainNs: options.grainNs,
  };
}

async function readUnlessPending(
  entries: readonly Found[],
  contents: Contents,
  options: DecideOptions & {
    readonly pending: PendingHashes;
    readonly onBatch: (batch: readonly Found[]) => void;
  },
): Promise<void> {
  const { pending } = options;
  const open = entries.filter((found) => {
    const hash = found.type === 'file' && options.believe ? pending.hashOf(found) : undefined;
    if (hash === undefined) return true;
    contents.hashes.set(found.path, hash);
    const facts = pending.factsOf(hash);
    if (facts !== undefined) contents.facts.set(found.path, facts);
    return false;
  });
  await readFound(open, contents, { ...options, media: options.all });
}

/** Contents that need no reading. Links are read all the same: their records need their targets. */
function settled(observed: Observed, believe: boolean): Observed {
  const { occupied, added } = settle(observed);
  const accept = (before: SeenEntry, after: SeenEntry): SeenEntry =>
    before === after || after.size === 0 || (believe && after.type === 'file') ? after : before;
  return {
    gone: observed.gone,
    occupied: occupied.map((pair, i) => {
      const { seen } = observed.occupied[i]!;
      const accepted = accept(seen, pair.seen);
      return accepted === pair.seen ? pair : observed.occupied[i]!;
    }),
    added: added.map((seen, i) => accept(observed.added[i]!, seen)),
  };
}

/**
 * Fills in what was read. A file that could not be read is not judged: what the head has of it stays, and if it is by
 * its inode one that is gone from its path, that one stays too, unless something is in its place.
 */
function withContents(observed: Observed, { hashes, facts, failures }: Contents): Observed {
  const filled = <T extends SeenEntry>(seen: T): T => {
    const blake3 = seen.blake3 ?? hashes.get(seen.path);
    if (blake3 === seen.blake3) return seen;
    const payload = facts.get(seen.path)?.payload;
    return { ...seen, blake3: blake3!, ...(payload && { payload }) };
  };
  return {
    gone: failures.size === 0 ? observed.gone : withoutHeld(observed, failures),
    occupied: observed.occupied
      .filter(({ seen }) => !failures.has(seen.path))
      .map(({ tracked, seen }) => ({ tracked, seen: filled(seen) })),
    added: observed.added.filter(({ path }) => !failures.has(path)).map(filled),
  };
}

function withoutHeld({ gone, added, occupied }: Observed, failures: Contents['failures']): Observed['gone'] {
  const seen = [...added, ...occupied.map((pair) => pair.seen)];
  const unread = new Map<bigint, SeenEntry>();
  for (const entry of seen)
    if (failures.has(entry.path) && entry.inode !== 0n) unread.set(entry.inode, entry);
  if (unread.size === 0) return gone;
  const taken = foldersAbove(seen.map(({ path }) => path));
  return gone.filter((tracked) => {
    const entry = unread.get(tracked.inode);
    return (
      entry?.type !== tracked.type ||
      entry.birthNs !== tracked.birthNs ||
      tracked.birthNs === 0n ||
      taken.has(tracked.path)
    );
  });
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

/** How many files and links that are here the head has directly in a folder; asked for once for each object that left it. */
function objectCounts(index: IndexDb): (folder: RepoPath) => number {
  const counts = new Map<RepoPath, number>();
  return (folder) => {
    let count = counts.get(folder);
    if (count === undefined) {
      count = presentObjects(index.known(folder));
      counts.set(folder, count);
    }
    return count;
  };
}

function presentObjects(known: KnownDirectory | undefined): number {
  let count = 0;
  known?.listing.kinds.forEach((kind, k) => {
    if (kind !== KIND.dir && known.protections[k] !== PROTECTION.absent) count++;
  });
  return count;
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
  for (const group of groups.values())
    if (group.length > 1) for (const path of group) linked.set(path, group);
  return linked;
}
