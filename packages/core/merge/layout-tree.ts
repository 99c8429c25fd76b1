import type { RecordAt } from '../compare.ts';
import { foldersAbove } from '../folder-change.ts';
import { sortByPath } from '../nearest.ts';
import { parentOf, type RepoPath, ROOT } from '../path.ts';
import type { Rec } from '../record.ts';
import { gitOwner } from '../select.ts';
import { isEvidence } from './folder-contents.ts';

/** A whole tree, made ready to be asked what is where. */
export interface LayoutTree {
  /** Sorted by path. */
  readonly entries: readonly RecordAt[];
  readonly at: ReadonlyMap<RepoPath, RecordAt>;
  /** Every folder, with a record of its own or without; the root too. */
  readonly folders: ReadonlySet<RepoPath>;
  /** Those with anything in them. */
  readonly filled: ReadonlySet<RepoPath>;
  /** The outermost folder that is never split and that a folder is, or is in. */
  readonly wholeOf: (folder: RepoPath) => RepoPath | undefined;
}

/** An entry of the other tree that shall be at `to`; `twin`: the entry of the chosen tree that is there and is the same. */
export interface Going {
  readonly entry: RecordAt;
  readonly to: RepoPath;
  readonly twin?: RecordAt;
}

/** @param isWhole of a folder's own record; folders that own a `.git`, the root too, are never split anyway */
export function layoutTree(entries: Iterable<RecordAt>, isWhole: (record: Rec) => boolean): LayoutTree {
  const sorted = sortByPath(entries, ({ path }) => path);
  const at = new Map(sorted.map((entry) => [entry.path, entry]));
  const filled = foldersAbove(at.keys());
  const folders = new Set(filled);
  const roots = new Set<RepoPath>();
  for (const { path, record } of sorted) {
    if (record.type === 'dir') folders.add(path);
    if (record.type === 'dir' && path !== ROOT && isWhole(record)) roots.add(path);
    const owner = gitOwner(`/${path}` as RepoPath);
    if (owner !== undefined) roots.add(owner.slice(1) as RepoPath);
  }
  return { entries: sorted, at, folders, filled, wholeOf: outermost(roots) };
}

export function isEntity(record: Rec): boolean {
  return record.entity !== undefined;
}

export function isAtomic(record: Rec): boolean {
  return record.entity !== undefined && record.attrs?.['atomic'] === true;
}

/** Files with content that are in no folder that is never split. */
export function looseFiles({ entries, wholeOf }: LayoutTree): RecordAt[] {
  return entries.filter(({ path, record }) => isEvidence(record) && wholeOf(parentOf(path)) === undefined);
}

/** Every folder above a path, innermost first, without the root. */
export function* foldersOver(path: RepoPath): Generator<RepoPath> {
  for (let folder = parentOf(path); folder !== ROOT; folder = parentOf(folder)) yield folder;
}

function outermost(roots: ReadonlySet<RepoPath>): LayoutTree['wholeOf'] {
  if (roots.size === 0) return () => undefined;
  if (roots.has(ROOT)) return () => ROOT;
  const known = new Map<RepoPath, RepoPath | undefined>([[ROOT, undefined]]);
  const find = (folder: RepoPath): RepoPath | undefined => {
    if (known.has(folder)) return known.get(folder);
    const found = find(parentOf(folder)) ?? (roots.has(folder) ? folder : undefined);
    known.set(folder, found);
    return found;
  };
  return find;
}
