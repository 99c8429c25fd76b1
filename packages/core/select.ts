import type { RecordAt } from './compare.ts';
import { isHeldByHistory } from './copies.ts';
import type { ContentHash } from './ids.ts';
import { type EncodedName, nameOf, parentOf, type RepoPath } from './path.ts';
import { type Selector, selectorOf, type Wholes } from './selector.ts';
import type { Subset } from './subset.ts';

/** Name of a nested project's own git folder, as it is spelled in the history. */
const GIT_OWNED = '%2Egit';

/**
 * What of a whole tree is not cut: entities, that is folders whose record says so and every folder that owns a `.git`, and
 * companions. The root is no entity: a subset always may cut there.
 */
export function wholesOf(entries: Iterable<RecordAt>): Wholes {
  const roots = new Set<RepoPath>();
  const files: RepoPath[] = [];
  for (const { path, record } of entries) {
    if (record.type !== 'dir') files.push(path);
    else if (record.entity !== undefined && path !== '') roots.add(path);
    const owner = gitOwner(path);
    if (owner !== undefined) roots.add(owner);
  }
  let byRoot: ReadonlyMap<RepoPath, readonly RepoPath[]> | undefined;
  const filesIn = (root: RepoPath): readonly RepoPath[] => {
    byRoot ??= groupByRoot(files, roots);
    return byRoot.get(root) ?? [];
  };
  let byFolder: ReadonlyMap<RepoPath, readonly RepoPath[]> | undefined;
  const namesIn = (folder: RepoPath): readonly EncodedName[] => {
    byFolder ??= Map.groupBy(files, parentOf);
    return (byFolder.get(folder) ?? []).map(nameOf);
  };
  return { roots, filesIn, namesIn };
}

/** The folder that owns the `.git` which this path is, or is in; undefined if there is none below the root. */
export function gitOwner(path: RepoPath): RepoPath | undefined {
  for (let at = path.indexOf(`/${GIT_OWNED}`); at >= 0; at = path.indexOf(`/${GIT_OWNED}`, at + 1)) {
    const end = at + 1 + GIT_OWNED.length;
    if (end === path.length || path[end] === '/') return path.slice(0, at) as RepoPath;
  }
  return undefined;
}

function groupByRoot(files: readonly RepoPath[], roots: ReadonlySet<RepoPath>): Map<RepoPath, RepoPath[]> {
  const groups = new Map<RepoPath, RepoPath[]>();
  for (const path of files) {
    for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) {
      if (!roots.has(folder)) continue;
      const group = groups.get(folder);
      if (group === undefined) groups.set(folder, [path]);
      else group.push(path);
    }
  }
  return groups;
}

/** The subset's selector for a whole tree, which cuts neither entities nor companions. */
export function selectorFor(subset: Subset, entries: Iterable<RecordAt>): Selector {
  return selectorOf(subset, wholesOf(entries));
}

export interface Selection {
  readonly wanted: readonly RecordAt[];
  readonly outside: readonly RecordAt[];
}

/** Which records of a whole tree a repository with this subset wants to hold; both lists in the order of the entries. */
export function selectTree(entries: readonly RecordAt[], subset: Subset): Selection {
  const selector = selectorFor(subset, entries);
  const wanted: RecordAt[] = [];
  const outside: RecordAt[] = [];
  for (const entry of entries)
    (selector.wants(entry.path, entry.record.type === 'dir') ? wanted : outside).push(entry);
  return { wanted, outside };
}

/** Patterns that match no entry of the tree, most likely misspelled; in the order of the subset. */
export function idlePatterns(entries: readonly RecordAt[], subset: Subset): string[] {
  const isIdle = (pattern: string): boolean => {
    const { wants } = selectorOf({ include: [pattern], exclude: [] });
    return !entries.some(({ path, record }) => path !== '' && wants(path, record.type === 'dir'));
  };
  return [...subset.include, ...subset.exclude].filter(isIdle);
}

/** A content that this repository would not hold any more, with all the paths that leave. */
export interface LeavingContent {
  readonly blake3: ContentHash;
  readonly size: number;
  readonly paths: readonly RepoPath[];
}

export interface Narrowing {
  /** Here now, wanted before and not any more: for `drop`, never a deletion. */
  readonly leaving: readonly RecordAt[];
  /** Wanted now and not here: for `get`. */
  readonly coming: readonly RecordAt[];
  /** What must have proven copies elsewhere (mayDrop) before `leaving` may go, all of it or none; in order of their first path. */
  readonly contents: readonly LeavingContent[];
}

export interface SubsetChange {
  readonly before: Selector;
  readonly after: Selector;
  /** Whether the entry is on this disk now. Absent: what was wanted is. */
  readonly isHere?: (entry: RecordAt) => boolean;
}

/**
 * What a change of the subset means for the tree. Files outside both subsets that are here all the same (a person made
 * them) stay. A content that also stays here under another path needs no proof.
 */
export function narrowing(entries: Iterable<RecordAt>, change: SubsetChange): Narrowing {
  const wanted = (by: Selector, { path, record }: RecordAt): boolean => by.wants(path, record.type === 'dir');
  const isHere = change.isHere ?? ((entry) => wanted(change.before, entry));
  const leaving: RecordAt[] = [];
  const coming: RecordAt[] = [];
  const staying = new Set<ContentHash>();
  for (const entry of entries) {
    const after = wanted(change.after, entry);
    if (!isHere(entry)) {
      if (after) coming.push(entry);
    } else if (!after && wanted(change.before, entry)) leaving.push(entry);
    else if (entry.record.blake3 !== undefined) staying.add(entry.record.blake3);
  }
  return { leaving, coming, contents: contentsOf(leaving, staying) };
}

function contentsOf(leaving: readonly RecordAt[], staying: ReadonlySet<ContentHash>): LeavingContent[] {
  const contents = new Map<ContentHash, { blake3: ContentHash; size: number; paths: RepoPath[] }>();
  for (const { path, record } of leaving) {
    const { blake3, size = 0 } = record;
    if (blake3 === undefined || staying.has(blake3) || isHeldByHistory(record)) continue;
    const known = contents.get(blake3);
    if (known === undefined) contents.set(blake3, { blake3, size, paths: [path] });
    else known.paths.push(path);
  }
  return [...contents.values()];
}
