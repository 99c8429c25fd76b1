import type { RecordAt } from '../compare.ts';
import type { GitId } from '../ids.ts';
import type { RepoPath } from '../path.ts';

/** An entry of a tree: a file's or link's record at its path, or a folder's own record (`.bkdir`) at the folder's path. */
export interface MergeEntry extends RecordAt {
  /** The blob that holds the record. */
  readonly blob: GitId;
}

export type SideNumber = 0 | 1;
export type WhichTree = 'base' | SideNumber;

/**
 * Three trees, without what all three have in common: for every path at which one side differs from the base, what
 * each of the three has there. What is not listed is the same at the same path in all of them.
 */
export interface MergeInput {
  /** Empty: the histories have nothing in common. */
  readonly base: readonly MergeEntry[];
  readonly sides: readonly [readonly MergeEntry[], readonly MergeEntry[]];
}

/** When and where a side's version of an object was made: the newest commit of that side alone that changed it. */
export interface Version {
  /** Committer time, s since 1970. */
  readonly timeSec: number;
  readonly commit: GitId;
  /** Name of the repository that made the commit. */
  readonly repository: string;
}

/** What a merge may ask about the trees beyond its input. Answers do not depend on which side is called first. */
export interface MergeFacts {
  /** What a tree has at a path, also where all three are the same. */
  readonly kindAt: (tree: WhichTree, path: RepoPath) => 'file' | 'folder' | undefined;
  /**
   * All entries at and below a folder of a tree, also those that all three have. Asked for what is kept twice, and, up to
   * the first that the input does not list, for folders that something left as a whole or comes to.
   */
  readonly below: (tree: WhichTree, folder: RepoPath) => Iterable<MergeEntry>;
  /**
   * The entry that a tree has at a path (of a folder: its own record), also where all three are the same. Without it,
   * files are looked for with `below`, and atomic entities are known only if their record is in the input.
   */
  readonly entryAt?: (tree: WhichTree, path: RepoPath) => MergeEntry | undefined;
  /** Asked only where something must be chosen. `object`: the side's entry. */
  readonly version: (side: SideNumber, object: MergeEntry) => Version;
}

export const CONFLICT_KINDS = [
  'content',
  'add-add',
  'delete-edit',
  'rename-rename',
  'rename-collision',
  'file-directory',
  'type',
  'directory-rename-split',
  'case',
  'atomic',
] as const;
export type ConflictKind = (typeof CONFLICT_KINDS)[number];

/** A conflict that this merge made. `path` is where the version that stays is, `kept` where the others are, sorted. */
export interface MergeConflict {
  readonly path: RepoPath;
  readonly kind: ConflictKind;
  readonly kept: readonly RepoPath[];
  /** The versions are one picture or one sound, with other tags. */
  readonly same?: 'payload';
}

/** An entry of the merged tree. `blob` is there if one of the inputs has exactly this record. */
export interface MergedEntry extends RecordAt {
  readonly blob?: GitId;
}

/**
 * The merged tree: `entries` in place of everything that the input lists; all else as the three trees have it, unless an
 * entry is at its path.
 */
export interface Merged {
  /** Sorted by path; no two at one path but a folder's record at a folder. */
  readonly entries: readonly MergedEntry[];
  /** Sorted by path. */
  readonly conflicts: readonly MergeConflict[];
}
