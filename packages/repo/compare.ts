import { isInside, type RepoPath } from '@bk/core';
import { IgnoreRules } from '@bk/worktree';
import type { Context } from './context.ts';
import { type Decision, type DecideOptions, decide } from './decide.ts';
import { groundOf } from './ground.ts';
import { observe } from './observe.ts';
import type { Pool } from './pool.ts';
import type { Repository } from './repository.ts';

/** Keeps what is at or below one of the paths; a rename counts at both of its ends. */
export function pathFilter(paths: readonly RepoPath[] | undefined): (item: { path: RepoPath; from?: RepoPath }) => boolean {
  if (paths === undefined || paths.length === 0) return () => true;
  return ({ path, from }) => paths.some((folder) => isInside(path, folder) || (from !== undefined && isInside(from, folder)));
}

export interface CompareOptions {
  /** Read every content that is not settled, not only those on which the answer depends. */
  readonly all: boolean;
  /** Believe no stat. */
  readonly rehash: boolean;
  readonly pool: Pool;
  /** See DecideOptions. */
  readonly onAdded?: DecideOptions['onAdded'];
}

/** The folder against the head: observe, then decide. Several verbs begin with it. */
export async function compareWithHead(repo: Repository, options: CompareOptions, context: Context): Promise<Decision> {
  const { root } = repo.layout;
  const { index } = repo;
  const { pool } = options;
  const ground = groundOf(root, !options.rehash);
  const observation = await observe({
    root,
    index,
    pool,
    ground,
    ignore: new IgnoreRules(root),
    onEntries: (files) => context.report({ phase: 'scan', files, bytes: 0 }),
  });
  let files = 0;
  let bytes = 0;
  let totals = {};
  pool.onProgress = (moreFiles, moreBytes) => {
    files += moreFiles;
    bytes += moreBytes;
    context.report({ phase: 'hash', files, bytes, ...totals });
  };
  return decide(observation, {
    root,
    index,
    pool,
    all: options.all,
    ...(options.onAdded && { onAdded: options.onAdded }),
    keepHashes: options.all && repo.locked,
    grainNs: ground.trust.grainNs,
    totals: (totalFiles, totalBytes) => {
      totals = { totalFiles, totalBytes };
    },
  });
}
