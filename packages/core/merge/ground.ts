import { BkError } from '../error.ts';
import { parentOf, type RepoPath, ROOT } from '../path.ts';
import type { MergeEntry, MergeFacts, MergeInput, SideNumber, WhichTree } from './input.ts';
import { type MergeObject, matchObjects } from './objects.ts';

/** What the decisions stand on: the three trees without what is alike in all of them, and where that is. */
export interface Ground {
  readonly input: MergeInput;
  readonly facts: MergeFacts;
  readonly files: readonly MergeObject[];
  /** Folders' own records. */
  readonly records: readonly MergeObject[];
  /** Entries that the input listed although all three trees have them alike. */
  readonly alike: readonly MergeEntry[];
  /** Some tree has a file here, and not all three have it alike. */
  readonly isListedFile: (path: RepoPath) => boolean;
  readonly isFolder: (tree: WhichTree, path: RepoPath) => boolean;
  /** A file that all three trees have alike. */
  readonly isUntouched: (path: RepoPath) => boolean;
  /** Of such a file. */
  readonly untouchedFile: (path: RepoPath) => MergeEntry;
  /** The own record of a folder that all three trees have alike. */
  readonly untouchedRecord: (folder: RepoPath) => MergeEntry | undefined;
  /** Something in the folder, or its own record, is alike in all three trees. */
  readonly holdsUntouched: (folder: RepoPath) => boolean;
  readonly untouchedBelow: (folder: RepoPath) => Iterable<MergeEntry>;
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
  const parts = [input.base, ...input.sides].map(partByType);
  const [base, first, second] = parts as [Parts, Parts, Parts];
  const files = new Set<RepoPath>();
  const records = new Set<RepoPath>();
  for (const part of parts) for (const { path } of part.files) files.add(path);
  for (const part of parts) for (const { path } of part.records) records.add(path);
  const isListed = (path: RepoPath): boolean => files.has(path) || records.has(path);
  const isFolder = (tree: WhichTree, path: RepoPath): boolean =>
    path === ROOT || facts.kindAt(tree, path) === 'folder';
  const untouchedBelow = function* (folder: RepoPath): Generator<MergeEntry> {
    if (files.has(folder) || !isFolder('base', folder)) return;
    for (const entry of facts.below('base', folder)) if (!isListed(entry.path)) yield entry;
  };
  return {
    input,
    facts,
    files: matchObjects(base.files, [first.files, second.files]),
    records: matchObjects(base.records, [first.records, second.records]),
    alike,
    isListedFile: (path) => files.has(path),
    isFolder,
    isUntouched: (path) => !isListed(path) && facts.kindAt('base', path) === 'file',
    untouchedFile: (path) => findFile(path, facts),
    untouchedRecord: (folder) => {
      if (isListed(folder) || !isFolder('base', folder)) return undefined;
      if (facts.entryAt !== undefined) return facts.entryAt('base', folder);
      for (const entry of facts.below('base', folder)) if (entry.path === folder) return entry;
      return undefined;
    },
    holdsUntouched: remembered((folder) => {
      for (const _ of untouchedBelow(folder)) return true;
      return false;
    }),
    untouchedBelow,
    isKnown: (path) => isListed(path) || TREES.some((tree) => facts.kindAt(tree, path) !== undefined),
  };
}

function findFile(path: RepoPath, facts: MergeFacts): MergeEntry {
  const known = facts.entryAt?.('base', path);
  if (known !== undefined) return known;
  for (const entry of facts.below('base', parentOf(path))) if (entry.path === path) return entry;
  throw new BkError('bug', `a file of which there is no entry: ${path}`, { path });
}

function remembered(look: (path: RepoPath) => boolean): (path: RepoPath) => boolean {
  const answers = new Map<RepoPath, boolean>();
  return (path) => {
    const answer = answers.get(path) ?? look(path);
    answers.set(path, answer);
    return answer;
  };
}

interface Parts {
  readonly files: MergeEntry[];
  readonly records: MergeEntry[];
}

function partByType(entries: readonly MergeEntry[]): Parts {
  const parts: Parts = { files: [], records: [] };
  for (const entry of entries) (entry.record.type === 'dir' ? parts.records : parts.files).push(entry);
  return parts;
}

/** The result must not depend on how much the caller left out. */
function withoutAlike(input: MergeInput): { input: MergeInput; alike: readonly MergeEntry[] } {
  const base = new Map(input.base.map(({ path, blob }) => [path, blob]));
  const isAsBase = ({ path, blob }: MergeEntry): boolean => base.get(path) === blob;
  const first = new Set<RepoPath>();
  for (const entry of input.sides[0]) if (isAsBase(entry)) first.add(entry.path);
  const alike = input.sides[1].filter((entry) => first.has(entry.path) && isAsBase(entry));
  if (alike.length === 0) return { input, alike };
  const paths = new Set(alike.map(({ path }) => path));
  const rest = (entries: readonly MergeEntry[]): MergeEntry[] =>
    entries.filter(({ path }) => !paths.has(path));
  return { input: { base: rest(input.base), sides: [rest(input.sides[0]), rest(input.sides[1])] }, alike };
}
