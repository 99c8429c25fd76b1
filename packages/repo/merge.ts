import { type Applied, BkError, type GitId } from '@bk/core';
import { readRef } from '@bk/store';
import { type CommitOptions, type CommitResult, commit } from './commit.ts';
import type { Context } from './context.ts';
import { FurtherRemotes } from './exchange/further.ts';
import { remoteHeadRef } from './exchange/refs.ts';
import { fetchFrom } from './fetch.ts';
import { commitOf } from './history/revision.ts';
import { type MergedOne, mergeWith, standingOf, unrelated } from './merge/merge-with.ts';
import { closeAll, type OpenRemote, openRemote, remotesOf } from './peers/peers.ts';
import type { Repository } from './repository.ts';

export interface MergeOptions extends Pick<CommitOptions, 'message' | 'deletions' | 'confirm'> {
  /** Name of a remote, or a REV; absent: all remotes, one after the other. */
  readonly from?: string;
  /** Commits the changes that are there, first. */
  readonly commit?: boolean;
  /** Of histories that have nothing in common: which side's layout the other gets first. */
  readonly layout?: 'ours' | 'theirs';
  readonly allowMassDelete?: boolean;
  readonly dryRun?: boolean;
}

/** One remote or revision that was merged with. */
export interface MergedFrom extends MergedOne {
  readonly name: string;
  /** What it stands for; null: it has no commit. */
  readonly head: GitId | null;
  /** Why it was not merged, or why what was known of it before was. */
  readonly reason?: string;
}

/** The whole of it; `merged` has each by itself, without the list that may be very long. */
export interface MergeResult extends MergedOne {
  readonly merged: readonly Omit<MergedFrom, 'changed'>[];
  /** What was committed first, if that was asked for. */
  readonly committed?: CommitResult;
}

/**
 * Merges what others did into the head here: fetches, joins the histories, and the folder follows; contents that are
 * nowhere here are brought. Done again after an interruption, it goes on.
 * @throws BkError 'refused', 'usage', 'not-found', 'unreachable' (and nothing of it is known here), 'no-space', 'io'
 */
export async function merge(repo: Repository, options: MergeOptions, context: Context): Promise<MergeResult> {
  const { dryRun = false } = options;
  const committed = options.commit === true ? await commit(repo, commitOptions(options), context) : undefined;
  const further = new FurtherRemotes(repo, context);
  const merging = { repo, options, context, further };
  try {
    const merged: MergedFrom[] = [];
    for (const name of names(repo, options)) merged.push(await mergeFrom(name, merging));
    const each = merged.map(({ changed: _inTheWhole, ...one }) => one);
    return { ...together(repo, merged, dryRun), merged: each, ...(committed && { committed }) };
  } finally {
    await further.close();
  }
}

function names(repo: Repository, { from }: MergeOptions): string[] {
  return from === undefined ? remotesOf(repo).map(({ name }) => name) : [from];
}

function commitOptions({
  message,
  deletions,
  confirm,
  allowMassDelete,
  dryRun,
}: MergeOptions): CommitOptions {
  return {
    ...(message !== undefined && { message }),
    ...(deletions !== undefined && { deletions }),
    ...(confirm !== undefined && { confirm }),
    ...(allowMassDelete !== undefined && { allowMassDelete }),
    ...(dryRun !== undefined && { dryRun }),
  };
}

interface Merging {
  readonly repo: Repository;
  readonly options: MergeOptions;
  readonly context: Context;
  readonly further: FurtherRemotes;
}

async function mergeFrom(name: string, merging: Merging): Promise<MergedFrom> {
  const { repo, options, context } = merging;
  if (!remotesOf(repo).some((remote) => remote.name === name)) {
    const head = commitOf(repo, name, context);
    return { name, head, ...(await mergeCommit(head, [], merging)) };
  }
  const { open, reason } = await tryOpening(repo, name, context);
  try {
    const fetched =
      open === undefined || options.dryRun === true ? undefined : await fetchFrom(repo, open, context);
    const head = readRef(repo.layout.history, remoteHeadRef(name)) ?? null;
    const why = reason?.message ?? fetched?.reason ?? news(open, head);
    if (head === null && options.from !== undefined && reason !== undefined) throw reason;
    const done = { name, head, ...(why !== undefined && { reason: why }) };
    if (head === null) return { ...nothing(repo), ...done };
    if (options.from === undefined && standingOf(repo, head) === 'unrelated')
      return { ...nothing(repo), ...done, reason: unrelated().message };
    return { ...(await mergeCommit(head, open === undefined ? [] : [open], merging)), ...done };
  } finally {
    if (open !== undefined) await closeAll([open]);
  }
}

/** In a dry run nothing is brought, so what is new there is not seen. */
function news(open: OpenRemote | undefined, known: GitId | null): string | undefined {
  if (open === undefined || (open.facts.head ?? null) === known) return undefined;
  return 'it has commits that are not known here: `bk fetch` brings them, a dry run does not';
}

/** One that cannot be reached is merged as it was known last. */
async function tryOpening(
  repo: Repository,
  name: string,
  context: Context,
): Promise<{ readonly open?: OpenRemote; readonly reason?: BkError }> {
  try {
    return { open: await openRemote(repo, name, context) };
  } catch (error) {
    if (error instanceof BkError && error.code === 'unreachable') return { reason: error };
    throw error;
  }
}

function mergeCommit(head: GitId, from: readonly OpenRemote[], merging: Merging): Promise<MergedOne> {
  const { repo, options, context, further } = merging;
  const { dryRun = false, allowMassDelete = false, commit: commits = false, layout } = options;
  const others = () => further.besides(from);
  const mayBeUnrelated = options.from !== undefined;
  const ways = { from, others, dryRun, allowMassDelete, mayBeUnrelated, ignoreChanges: commits };
  return mergeWith(repo, head, { ...ways, ...(layout && { layout }) }, context);
}

function nothing({ head, history }: Repository): MergedOne {
  return {
    result: 'up-to-date',
    commit: head ?? null,
    parents: head === undefined ? [] : history.readCommit(head).parents,
    conflicts: [],
    applied: { renamed: 0, copied: 0, updated: 0, deleted: 0 },
    moved: [],
    changed: [],
    transferred: { files: 0, bytes: 0 },
    missing: [],
    left: [],
  };
}

const RESULTS = ['up-to-date', 'fast-forward', 'merged'] as const;

/** Of several merges, one after the other, what a person wants to know: where it ended, and all that was done. */
function together(repo: Repository, merged: readonly MergedFrom[], dryRun: boolean): MergedOne {
  const [first, ...more] = merged.map(({ name: _name, head: _head, reason: _reason, ...done }) => done);
  let sum: MergedOne = first ?? nothing(repo);
  for (const next of more) {
    const moves = RESULTS.indexOf(next.result) > 0;
    sum = {
      ...sum,
      result: RESULTS.indexOf(next.result) > RESULTS.indexOf(sum.result) ? next.result : sum.result,
      commit: next.commit,
      parents: moves ? next.parents : sum.parents,
      conflicts: [...sum.conflicts, ...next.conflicts],
      applied: added(sum.applied, next.applied),
      moved: [...sum.moved, ...next.moved],
      changed: [...sum.changed, ...next.changed],
      transferred: {
        files: sum.transferred.files + next.transferred.files,
        bytes: sum.transferred.bytes + next.transferred.bytes,
      },
      missing: [...sum.missing, ...next.missing],
      left: [...sum.left, ...next.left],
    };
  }
  return dryRun ? { ...sum, commit: null } : sum;
}

function added(a: Applied, b: Applied): Applied {
  return {
    renamed: a.renamed + b.renamed,
    copied: a.copied + b.copied,
    updated: a.updated + b.updated,
    deleted: a.deleted + b.deleted,
  };
}
