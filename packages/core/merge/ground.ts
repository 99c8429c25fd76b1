import { BkError } from '../error.ts';
import { parentOf, type RepoPath, ROOT } from '../path.ts';
import { companionSides } from './companion-sides.ts';
import type { MergeEntry, MergeFacts, MergeInput, SideNumber, WhichTree } from './input.ts';
import { type MergeObject, matchObjects } from './objects.ts';

/** What the decisions stand on: the three trees without what is alike in all of them, and where that is. */
export interface Ground {
  readonly input: MergeInput;
  readonly facts: MergeFacts;
  readonly files: readonly MergeObject[];
  /** Folders' own records. */
  readonly records: readonly MergeObject[];
  /** Whose content stays, of a file of which both sides have other contents and so of a companion; undefined: it is no such. */
  readonly companionSide: (file: MergeObject) => SideNumber | undefined;
  /** Entries that the input listed although all three trees have them alike. */
  readonly alike: readonly MergeEntry[];
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
  const parts = [given.base, ...given.sides].map(partByType);
  const [base, first, second] = parts as [Parts, Parts, Parts];
  const files = matchObjects(base.files, [first.files, second.files]);
  const records = matchObjects(base.records, [first.records, second.records]);
  const isInTheWay = filesAbove(given);
  const isDifferent = (object: MergeObject): boolean =>
    !isAlike(object) || isInTheWay((object.base as MergeEntry).path);
  const alike = [...files, ...records].flatMap((object) =>
    isDifferent(object) ? [] : [object.base as MergeEntry],
  );
  if (alike.length === 0)
    return { ...groundOf(given, facts), files, records, alike, companionSide: sidesAmong(files) };
  const different = files.filter(isDifferent);
  return {
    ...groundOf(without(alike, given), facts),
    files: different,
    records: records.filter(isDifferent),
    alike,
    companionSide: sidesAmong(different),
  };
}

/** Looked for when it is first asked, which many merges need not. */
function sidesAmong(files: readonly MergeObject[]): Ground['companionSide'] {
  let sides: ReturnType<typeof companionSides> | undefined;
  return (file) => {
    sides ??= companionSides(files);
    return sides.get(file);
  };
}

/**
 * Whether a file is where a folder above the path would have to be: what is alike in three trees has none, but something
 * that is put back into a tree may.
 */
function filesAbove({ base, sides }: MergeInput): (path: RepoPath) => boolean {
  let known: Set<RepoPath> | undefined;
  const files = (): Set<RepoPath> => {
    if (known !== undefined) return known;
    const all = [base, ...sides].flat().filter(({ record }) => record.type !== 'dir');
    known = new Set(all.map(({ path }) => path));
    return known;
  };
  return (path) => {
    for (let above = parentOf(path); above !== ROOT; above = parentOf(above))
      if (files().has(above)) return true;
    return false;
  };
}

/** Listed, although it is the same in all three trees. The result must not depend on how much the caller left out. */
function isAlike({ base, sides: [first, second] }: MergeObject): boolean {
  if (base === undefined || first === undefined || second === undefined) return false;
  if (first.blob !== base.blob || second.blob !== base.blob) return false;
  return first.path === base.path && second.path === base.path;
}

function without(alike: readonly MergeEntry[], { base, sides: [first, second] }: MergeInput): MergeInput {
  const paths = new Set(alike.map(({ path }) => path));
  const rest = (entries: readonly MergeEntry[]): MergeEntry[] =>
    entries.filter(({ path }) => !paths.has(path));
  return { base: rest(base), sides: [rest(first), rest(second)] };
}

function groundOf(
  input: MergeInput,
  facts: MergeFacts,
): Omit<Ground, 'files' | 'records' | 'alike' | 'companionSide'> {
  const { isListed, isListedFile } = listedIn(input);
  const isFolder = (tree: WhichTree, path: RepoPath): boolean =>
    path === ROOT || facts.kindAt(tree, path) === 'folder';
  const untouchedBelow = function* (folder: RepoPath): Generator<MergeEntry> {
    if (!isFolder('base', folder) || isListedFile(folder)) return;
    for (const entry of facts.below('base', folder)) if (!isListed(entry.path)) yield entry;
  };
  return {
    input,
    facts,
    isFolder,
    isUntouched: (path) => facts.kindAt('base', path) === 'file' && !isListed(path),
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
    isKnown: (path) => TREES.some((tree) => facts.kindAt(tree, path) !== undefined) || isListed(path),
  };
}

interface Listed {
  readonly isListed: (path: RepoPath) => boolean;
  readonly isListedFile: (path: RepoPath) => boolean;
}

/** Made when it is first asked, which many merges need not. */
function listedIn({ base, sides }: MergeInput): Listed {
  let known: { readonly files: Set<RepoPath>; readonly records: Set<RepoPath> } | undefined;
  const paths = (): NonNullable<typeof known> => {
    if (known !== undefined) return known;
    known = { files: new Set(), records: new Set() };
    for (const entries of [base, ...sides]) {
      for (const { path, record } of entries) (record.type === 'dir' ? known.records : known.files).add(path);
    }
    return known;
  };
  return {
    isListed: (path) => paths().files.has(path) || paths().records.has(path),
    isListedFile: (path) => paths().files.has(path),
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
