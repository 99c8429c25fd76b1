import { type Change, type ChangeSummary, type GitId, type PathProblem, type RepoPath, summaryOf } from '@bk/core';
import { compareWithHead, pathFilter } from './compare.ts';
import type { Decision } from './decide.ts';
import type { Context } from './context.ts';
import { Pool } from './pool.ts';
import { refreshIndex, unchangedEntries } from './refresh.ts';
import type { Repository } from './repository.ts';

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

/** What changed since the last commit. Reads contents only where the index cannot vouch and the answer depends on it. */
export async function status(repo: Repository, options: StatusOptions, context: Context): Promise<StatusResult> {
  const pool = new Pool();
  const decision = await compareWithHead(repo, { all: false, rehash: options.rehash === true, pool }, context).finally(() => pool.close());
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

/** What was read for nothing is not read again next time, if no writer is at work. */
function refreshIfFree(repo: Repository, decision: Decision): void {
  const { head } = repo;
  if (unchangedEntries(decision).length === 0 || !repo.tryWriting()) return;
  try {
    if (repo.head === head) refreshIndex(repo, decision);
  } finally {
    repo.endWriting();
  }
}
