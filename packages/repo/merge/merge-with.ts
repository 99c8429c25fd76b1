import {
  type Applied,
  BkError,
  type GitId,
  type MergeConflict,
  mergeBases,
  type PathProblem,
} from '@bk/core';
import { isAncestor } from '@bk/store';
import { type Advanced, type AdvanceOptions, advance } from '../advance/advance.ts';
import type { Context } from '../context.ts';
import { graphOf } from '../history/graph.ts';
import type { Repository } from '../repository.ts';
import { join } from './join.ts';

export interface MergeWithOptions extends Omit<AdvanceOptions, 'objects'> {
  /** Histories that have nothing in common are merged only if somebody asked for just that. */
  readonly mayBeUnrelated?: boolean;
}

/** What a merge with one commit did, or in a dry run would do. */
export interface MergedOne {
  readonly result: 'up-to-date' | 'fast-forward' | 'merged';
  /** `main` here afterwards; null in a dry run, or if nothing was ever committed. */
  readonly commit: GitId | null;
  /** Of that commit. */
  readonly parents: readonly GitId[];
  /** Conflicts that this merge made. */
  readonly conflicts: readonly MergeConflict[];
  readonly applied: Applied;
  readonly moved: Advanced['moved'];
  readonly changed: Advanced['changed'];
  readonly transferred: { readonly files: number; readonly bytes: number };
  /** Wanted here, and no copy could be reached. */
  readonly missing: readonly PathProblem[];
  /** Left as they are, because they changed just then or something was in the way: they show as changes. */
  readonly left: readonly PathProblem[];
}

/** How a commit stands to the head here. */
export type Standing = 'same' | 'forward' | 'behind' | 'diverged' | 'unrelated';

export function standingOf({ history, head }: Pick<Repository, 'history' | 'head'>, theirs: GitId): Standing {
  if (theirs === head) return 'same';
  if (head === undefined || isAncestor(history, head, theirs)) return 'forward';
  if (isAncestor(history, theirs, head)) return 'behind';
  return mergeBases(graphOf(history), head, theirs).length === 0 ? 'unrelated' : 'diverged';
}

/**
 * Merges a commit into the head (SPEC 6), and the folder follows. The merge is made in memory; it becomes part of the
 * history once nothing speaks against it, and the head moves with the files.
 * @throws BkError 'refused' (changes that are not committed, too many deletions, unrelated), 'no-space', 'io'
 */
export async function mergeWith(
  repo: Repository,
  theirs: GitId,
  options: MergeWithOptions,
  context: Context,
): Promise<MergedOne> {
  if (options.dryRun !== true) repo.beginWriting();
  const { head, history } = repo;
  const standing = standingOf(repo, theirs);
  if (head === undefined || (standing !== 'diverged' && standing !== 'unrelated'))
    return told(repo, await advance(repo, theirs, options, context), options);
  if (standing === 'unrelated' && options.mayBeUnrelated !== true) throw unrelated();
  const { objects, commit, parents, conflicts } = join(history, head, theirs);
  const advanced = await advance(repo, commit, { ...options, objects }, context);
  return { ...told(repo, advanced, options), result: 'merged', parents, conflicts };
}

function told(
  { history }: Repository,
  { conflicts: left, commit, ...advanced }: Advanced,
  { dryRun = false }: MergeWithOptions,
): MergedOne {
  const parents = history.has(commit) ? history.readCommit(commit).parents : [];
  return { ...advanced, commit: dryRun ? null : commit, parents, conflicts: [], left };
}

export function unrelated(): BkError {
  return new BkError('refused', 'refused: the two histories have nothing in common', {
    hint: 'to make one collection of both, name it: `bk merge NAME`; nothing is deleted by that',
  });
}
