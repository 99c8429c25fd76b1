import {
  type Applied,
  BkError,
  type Correspondence,
  type GitId,
  type MergeConflict,
  mergeBases,
  type PathProblem,
} from '@bk/core';
import { isAncestor, Overlay } from '@bk/store';
import { type Advanced, type AdvanceOptions, advance } from '../advance/advance.ts';
import type { Context } from '../context.ts';
import { graphOf } from '../history/graph.ts';
import type { Repository } from '../repository.ts';
import { join } from './join.ts';
import { correspondingFolders, type LaidOut, type LayoutOptions, layOut, readBoth } from './layout.ts';

export interface MergeWithOptions extends Omit<AdvanceOptions, 'objects'> {
  /** Histories that have nothing in common are merged only if somebody asked for just that. */
  readonly mayBeUnrelated?: boolean;
  /** Of histories that have nothing in common: which side's layout the other gets first. */
  readonly layout?: 'ours' | 'theirs';
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
  /** Of histories that had nothing in common: which of their folders are copies of ours. */
  readonly correspondences?: readonly Correspondence[];
  /** What was done first so that both have one layout. */
  readonly layout?: LaidOut;
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
  if (standing === 'diverged' && options.layout !== undefined) throw related();
  const objects = new Overlay(history);
  const heads = { ours: head, theirs };
  const met = standing === 'unrelated' ? meet(repo, { heads, objects, chosen: options.layout }, context) : {};
  const { layout } = met;
  const sides = layout === undefined ? heads : { ...heads, [layout.side]: layout.commit };
  const { commit, parents, conflicts } = join(objects, sides.ours, sides.theirs);
  const advanced = await advance(repo, commit, { ...options, objects }, context);
  return { ...told(repo, advanced, options), result: 'merged', parents, conflicts, ...met };
}

/** What is to be said and done first where two histories meet for the first time. */
function meet(
  repo: Repository,
  {
    heads,
    objects,
    chosen,
  }: Pick<LayoutOptions, 'heads' | 'objects'> & { chosen: 'ours' | 'theirs' | undefined },
  context: Context,
): Pick<MergedOne, 'correspondences' | 'layout'> {
  const both = readBoth(objects, heads);
  const told = { correspondences: correspondingFolders(both) };
  const layout = chosen === undefined ? undefined : layOut(repo, { heads, both, chosen, objects }, context);
  return layout === undefined ? told : { ...told, layout };
}

function told(
  { history }: Repository,
  { conflicts: left, commit, ...advanced }: Advanced,
  { dryRun = false }: MergeWithOptions,
): MergedOne {
  const parents = history.has(commit) ? history.readCommit(commit).parents : [];
  return { ...advanced, commit: dryRun ? null : commit, parents, conflicts: [], left };
}

function related(): BkError {
  return new BkError('usage', 'a layout can be chosen only where two histories meet for the first time', {
    hint: 'these have been merged before: leave out --layout, what was moved on either side is known',
  });
}

export function unrelated(): BkError {
  return new BkError('refused', 'refused: the two histories have nothing in common', {
    hint: 'to make one collection of both, name it: `bk merge NAME`; nothing is deleted by that',
  });
}
