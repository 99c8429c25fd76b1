import type { PathProblem } from '@bk/core';
import { keepsOf } from './commit.ts';
import type { Context } from './context.ts';
import { refreshIndex, unchangedEntries } from './index/refresh.ts';
import { compareWithHead } from './observe/compare.ts';
import { Pool } from './observe/pool.ts';
import { publishPresence } from './presence/presence.ts';
import type { Repository } from './repository.ts';
import { NetExtension } from './safety/net.ts';

export interface ReindexResult {
  readonly directories: number;
  readonly files: number;
  /** Files that are as the head has them; the rest shows up in `status`. */
  readonly unchanged: number;
  readonly unreadable: readonly PathProblem[];
  /** Always: what is found wrong is `check`'s to tell. */
  readonly ok: true;
}

/** Rebuilds the index from the history, then reads every file once so that stats vouch for contents again. */
export async function reindex(repo: Repository, context: Context): Promise<ReindexResult> {
  repo.beginWriting();
  let directories = 0;
  repo.reindex(() => context.report({ phase: 'index', files: ++directories, bytes: 0 }));
  const pool = new Pool();
  try {
    const decision = await compareWithHead(repo, { all: true, rehash: false, pool }, context);
    const net = new NetExtension(repo, { pool, report: context.report });
    const entries = unchangedEntries(decision, repo);
    net.add(keepsOf(entries));
    refreshIndex(repo, decision, { entries, extended: await net.finish() });
    publishPresence(repo, context);
    return {
      directories,
      files: repo.index.files,
      unchanged: entries.length,
      unreadable: decision.unreadable,
      ok: true,
    };
  } finally {
    pool.close();
  }
}
