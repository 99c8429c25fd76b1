import {
  BkError,
  type Change,
  type ChangeSummary,
  type GitId,
  type PathProblem,
  type RepoPath,
  summaryOf,
} from '@bk/core';
import type { Context } from './context.ts';
import { refreshIndex, unchangedEntries } from './index/refresh.ts';
import { compareWithHead, pathFilter } from './observe/compare.ts';
import type { Decision } from './observe/decide.ts';
import { Pool } from './observe/pool.ts';
import { cannotWrite, type Repository } from './repository.ts';

export interface StatusOptions {
  /** Only what is at or below these; none: everything. */
  readonly paths?: readonly RepoPath[];
  /** Believe no stat: read every file. */
  readonly rehash?: boolean;
}

export interface StatusResult {
  readonly repository: { readonly id: string; readonly name: string; readonly root: string };
  readonly head: GitId | null;
  readonly changes: readonly Change[];
  readonly unreadable: readonly PathProblem[];
  readonly skipped: readonly PathProblem[];
  readonly summary: ChangeSummary;
}

const ATTEMPTS = 3;

/** What changed since the last commit. Reads contents only where the index cannot vouch and the answer depends on it. */
export async function status(
  repo: Repository,
  options: StatusOptions,
  context: Context,
): Promise<StatusResult> {
  const decision = await compareSteadily(repo, options, context);
  refreshIfFree(repo, decision);
  const within = pathFilter(options.paths);
  const changes = decision.changes.filter(within);
  return {
    repository: { id: repo.config.id, name: repo.config.name, root: repo.layout.root },
    head: repo.head ?? null,
    changes,
    unreadable: decision.unreadable.filter(within),
    skipped: decision.skipped.filter(within),
    summary: summaryOf(changes),
  };
}

/** Again if a commit was made meanwhile: rows of two heads do not make one answer. */
async function compareSteadily(
  repo: Repository,
  options: StatusOptions,
  context: Context,
): Promise<Decision> {
  for (let attempt = 1; ; attempt++) {
    const { head } = repo;
    const pool = new Pool();
    const decision = await compareWithHead(
      repo,
      { all: false, rehash: options.rehash === true, pool },
      context,
    ).finally(() => pool.close());
    if (repo.index.head === head || attempt === ATTEMPTS) return decision;
    repo.reload();
  }
}

/** What was read for nothing is not read again next time, if no writer is at work. */
function refreshIfFree(repo: Repository, decision: Decision): void {
  const { head } = repo;
  // What is here again though it was absent by design is the next commit's to note: it also protects it.
  const entries = unchangedEntries(decision, repo).filter(
    ({ object }) => object.kind !== 'known' || object.tracked.absent !== true,
  );
  if (entries.length + decision.observation.mounted.length === 0) return;
  try {
    if (repo.tryWriting() && repo.head === head) refreshIndex(repo, decision, { entries });
  } catch (error) {
    // The answer is known; only the next one takes longer.
    const full = error instanceof BkError ? ['io', 'no-space'] : ['ENOSPC', 'EDQUOT', 'EIO'];
    if (!cannotWrite(error) && !full.includes(String((error as { code?: unknown }).code))) throw error;
  } finally {
    repo.endWriting();
  }
}
