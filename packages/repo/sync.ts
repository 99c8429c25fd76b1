import { BkError, type GitId } from '@bk/core';
import { readRef } from '@bk/store';
import { type Advanced, advance } from './advance/advance.ts';
import { type CommitOptions, type CommitResult, commit } from './commit.ts';
import type { Context } from './context.ts';
import { type Exchanged, type ExchangeOptions, withRemotes } from './exchange/exchange.ts';
import { FurtherRemotes } from './exchange/further.ts';
import { remoteHeadRef } from './exchange/refs.ts';
import { type FetchedRemote, fetchFrom } from './fetch.ts';
import { type MergedOne, mergeWith, type Standing, standingOf } from './merge/merge-with.ts';
import type { OpenRemote } from './peers/peers.ts';
import { type PushedRemote, push } from './push.ts';
import type { Repository } from './repository.ts';

export interface SyncOptions
  extends ExchangeOptions,
    Pick<CommitOptions, 'message' | 'deletions' | 'confirm' | 'allowMassDelete'> {
  readonly dryRun?: boolean;
}

/**
 * What became of a remote. `forward`: this repository followed it; `diverged`: both have commits of their own, and were
 * merged; `unrelated`: the histories have nothing in common, and are left as they are.
 */
export interface SyncedRemote extends FetchedRemote {
  readonly standing: Standing | 'unknown';
  /** What happened here, if this repository followed it (in a dry run: would). */
  readonly advanced?: Advanced;
  /** The same, if both were merged. */
  readonly merged?: MergedOne;
  /** For safety it was not followed; `reason` says why. */
  readonly refused?: true;
}

export interface SyncResult extends Exchanged<SyncedRemote> {
  readonly committed: CommitResult;
  /** `main` here in the end. */
  readonly head: GitId | null;
  readonly pushed: readonly PushedRemote[];
}

/**
 * Commits, learns what the remotes did, follows them or merges what went apart, then sends. Histories that have nothing
 * in common are not made one by the way; everything else is done all the same.
 */
export async function sync(repo: Repository, options: SyncOptions, context: Context): Promise<SyncResult> {
  const { remotes = [], dryRun = false } = options;
  const committed = await commit(repo, commitOptions(options), context);
  const isChanged = dryRun && committed.changes.length > 0;
  const further = new FurtherRemotes(repo, context);
  const answers = await withRemotes(repo, { remotes }, context, (open) =>
    follow(repo, open, { ...options, isChanged, further }, context),
  ).finally(() => further.close());
  repo.endWriting();
  const reached = answers.remotes.map(({ name }) => name);
  const sent =
    reached.length === 0
      ? { remotes: [], unreachable: [] }
      : await push(repo, { remotes: reached, dryRun }, context);
  return {
    committed,
    remotes: answers.remotes,
    head: repo.head ?? null,
    pushed: sent.remotes,
    unreachable: [...answers.unreachable, ...sent.unreachable],
  };
}

interface Following extends SyncOptions {
  /** A dry run did not commit what it would. */
  readonly isChanged: boolean;
  readonly further: FurtherRemotes;
}

/** What it did is brought here, in a dry run as far as it is known already. */
async function follow(
  repo: Repository,
  open: OpenRemote,
  { dryRun = false, allowMassDelete = false, isChanged, further }: Following,
  context: Context,
): Promise<SyncedRemote> {
  const fetched = dryRun ? known(repo, open) : await fetchFrom(repo, open, context);
  const now = standingOfRemote(repo, fetched.head);
  // The commit that a dry run did not make would be one of our own.
  const standing = isChanged && now === 'forward' ? 'diverged' : now;
  const { head } = fetched;
  if (standing === 'unrelated') return { ...fetched, standing, reason: apart(fetched.name) };
  if ((standing !== 'forward' && standing !== 'diverged') || head === null) return { ...fetched, standing };
  const others = () => further.besides([open]);
  const ways = { from: [open], others, dryRun, allowMassDelete, ignoreChanges: isChanged };
  try {
    if (standing === 'forward')
      return { ...fetched, standing, advanced: await advance(repo, head, ways, context) };
    const merged = await mergeWith(repo, head, ways, context);
    return { ...fetched, standing, merged: { ...merged, result: 'merged' } };
  } catch (error) {
    if (!(error instanceof BkError) || error.code !== 'refused') throw error;
    return { ...fetched, standing, refused: true, reason: error.message };
  }
}

function apart(name: string): string {
  return `the two histories have nothing in common: \`bk merge ${name}\` makes one collection of both`;
}

function commitOptions({ message, deletions, confirm, allowMassDelete, dryRun }: SyncOptions): CommitOptions {
  return {
    ...(message !== undefined && { message }),
    ...(deletions !== undefined && { deletions }),
    ...(confirm !== undefined && { confirm }),
    ...(allowMassDelete !== undefined && { allowMassDelete }),
    ...(dryRun !== undefined && { dryRun }),
  };
}

/** In a dry run nothing is brought, so only what is known already can be told. */
function known({ layout }: Repository, { remote: { name }, facts: { head } }: OpenRemote): FetchedRemote {
  const before = readRef(layout.history, remoteHeadRef(name)) ?? null;
  const now = head ?? null;
  return { name, head: now, before, moved: now !== before, presences: [] };
}

function standingOfRemote(repo: Repository, theirs: GitId | null): SyncedRemote['standing'] {
  if (theirs === null) return repo.head === undefined ? 'same' : 'behind';
  return theirs === repo.head || repo.history.has(theirs) ? standingOf(repo, theirs) : 'unknown';
}
