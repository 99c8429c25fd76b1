import { BkError, type GitId } from '@bk/core';
import { isAncestor, readRef } from '@bk/store';
import { type Advanced, advance } from './advance/advance.ts';
import { type CommitOptions, type CommitResult, commit } from './commit.ts';
import type { Context } from './context.ts';
import { type Exchanged, type ExchangeOptions, withRemotes } from './exchange/exchange.ts';
import { commonCommit } from './exchange/lacking.ts';
import { remoteHeadRef } from './exchange/refs.ts';
import { type FetchedRemote, fetchFrom } from './fetch.ts';
import type { OpenRemote } from './peers/peers.ts';
import { type PushedRemote, push } from './push.ts';
import type { Repository } from './repository.ts';

export interface SyncOptions
  extends ExchangeOptions,
    Pick<CommitOptions, 'message' | 'deletions' | 'confirm' | 'allowMassDelete'> {
  readonly dryRun?: boolean;
}

/** What became of a remote. `forward`: this repository followed it; `diverged`: both have commits of their own. */
export interface SyncedRemote extends FetchedRemote {
  readonly standing: 'same' | 'forward' | 'behind' | 'diverged' | 'unknown';
  /** What happened here, if this repository followed it (in a dry run: would). */
  readonly advanced?: Advanced;
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
 * Commits, learns what the remotes did, follows them as far as that is a plain fast-forward, then sends. What went
 * apart is for a merge; everything else is done all the same.
 */
export async function sync(repo: Repository, options: SyncOptions, context: Context): Promise<SyncResult> {
  const { remotes = [], dryRun = false } = options;
  const committed = await commit(repo, commitOptions(options), context);
  const answers = await withRemotes(repo, { remotes }, context, (open) =>
    follow(repo, open, { ...options, isChanged: dryRun && committed.changes.length > 0 }, context),
  );
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

/** What it did is brought here, in a dry run as far as it is known already. */
async function follow(
  repo: Repository,
  open: OpenRemote,
  { dryRun = false, allowMassDelete = false, isChanged }: SyncOptions & { readonly isChanged: boolean },
  context: Context,
): Promise<SyncedRemote> {
  const fetched = dryRun ? known(repo, open) : await fetchFrom(repo, open, context);
  const now = standingOf(repo, fetched.head);
  // The commit that a dry run did not make would be one of our own.
  const standing = isChanged && now === 'forward' ? 'diverged' : now;
  const { head } = fetched;
  if (standing === 'diverged' && head !== null) return { ...fetched, standing, reason: apart(repo, head) };
  if (standing !== 'forward' || head === null) return { ...fetched, standing };
  try {
    const advanced = await advance(repo, head, { from: [open], dryRun, allowMassDelete }, context);
    return { ...fetched, standing, advanced };
  } catch (error) {
    if (!(error instanceof BkError) || error.code !== 'refused') throw error;
    return { ...fetched, standing, refused: true, reason: error.message };
  }
}

function apart({ history, head }: Repository, theirs: GitId): string {
  const common = head === undefined ? undefined : commonCommit(history, head, theirs);
  if (common === undefined) return 'the two histories have nothing in common: this needs a merge';
  return `both have commits of their own since ${common.slice(0, 10)}: this needs a merge`;
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

function standingOf({ history, head }: Repository, theirs: GitId | null): SyncedRemote['standing'] {
  if (theirs === null) return head === undefined ? 'same' : 'behind';
  if (theirs === head) return 'same';
  if (!history.has(theirs)) return 'unknown';
  if (head === undefined || isAncestor(history, head, theirs)) return 'forward';
  return isAncestor(history, theirs, head) ? 'behind' : 'diverged';
}
