import { type RepoPath, ROOT } from '../path.ts';
import type { MergeEntry, MergeFacts, MergeInput, SideNumber, WhichTree } from './input.ts';

/** What the decisions stand on: the three trees without what is alike in all of them, and where that is. */
export interface Ground {
  readonly input: MergeInput;
  readonly facts: MergeFacts;
  /** Entries that the input listed although all three trees have them alike. */
  readonly alike: readonly MergeEntry[];
  readonly isFolder: (tree: WhichTree, path: RepoPath) => boolean;
  /** A file that all three trees have alike. */
  readonly isUntouched: (path: RepoPath) => boolean;
  /** Something in the folder, or its own record, is alike in all three trees. */
  readonly holdsUntouched: (folder: RepoPath) => boolean;
  /** Some tree has something at this path. */
  readonly isKnown: (path: RepoPath) => boolean;
}

export const SIDES: readonly SideNumber[] = [0, 1];
export const TREES: readonly WhichTree[] = ['base', 0, 1];

export function otherSide(side: SideNumber): SideNumber {
  return side === 0 ? 1 : 0;
}

export function prepareGround(given: MergeInput, facts: MergeFacts): Ground {
  const { input, alike } = withoutAlike(given);
  const files = new Set<RepoPath>();
  const records = new Set<RepoPath>();
  for (const entries of [input.base, ...input.sides]) {
    for (const { path, record } of entries) (record.type === 'dir' ? records : files).add(path);
  }
  const isListed = (path: RepoPath): boolean => files.has(path) || records.has(path);
  const isFolder = (tree: WhichTree, path: RepoPath): boolean =>
    path === ROOT || facts.kindAt(tree, path) === 'folder';
  const holds = new Map<RepoPath, boolean>();
  const look = (folder: RepoPath): boolean => {
    if (files.has(folder) || !isFolder('base', folder)) return false;
    for (const { path } of facts.below('base', folder)) if (!isListed(path)) return true;
    return false;
  };
  return {
    input,
    facts,
    alike,
    isFolder,
    isUntouched: (path) => !isListed(path) && facts.kindAt('base', path) === 'file',
    holdsUntouched: (folder) => {
      const known = holds.get(folder) ?? look(folder);
      holds.set(folder, known);
      return known;
    },
    isKnown: (path) => isListed(path) || TREES.some((tree) => facts.kindAt(tree, path) !== undefined),
  };
}

/** The result must not depend on how much the caller left out. */
function withoutAlike(input: MergeInput): { input: MergeInput; alike: MergeEntry[] } {
  const base = new Map(input.base.map((entry) => [entry.path, entry]));
  const first = new Set<RepoPath>();
  for (const entry of input.sides[0]) if (base.get(entry.path)?.blob === entry.blob) first.add(entry.path);
  const alike: MergeEntry[] = [];
  for (const entry of input.sides[1]) {
    if (first.has(entry.path) && base.get(entry.path)?.blob === entry.blob) alike.push(entry);
  }
  if (alike.length === 0) return { input, alike };
  const paths = new Set(alike.map(({ path }) => path));
  const rest = (entries: readonly MergeEntry[]): MergeEntry[] =>
    entries.filter(({ path }) => !paths.has(path));
  return { input: { base: rest(input.base), sides: [rest(input.sides[0]), rest(input.sides[1])] }, alike };
}
