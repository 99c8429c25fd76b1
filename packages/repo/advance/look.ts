import { type RepoPath, STAT, type StepResult, type TreePlan, timeNs } from '@bk/core';
import { lookAtPlaced } from '../get/placed.ts';
import { LiveTree } from '../observe/live-tree.ts';
import type { Placed } from '../presence/absence.ts';
import type { Repository } from '../repository.ts';

export interface Looked {
  readonly looked: ReadonlyMap<RepoPath, Placed>;
  readonly failed: ReadonlySet<RepoPath>;
}

/**
 * Looks at the files that steps gave a name, a content, a mode or a time, and takes them into the safety net. One that
 * does not have the time it should have may have been written to since: nothing vouches for it.
 */
export async function lookAtArrived(
  repo: Repository,
  { arrivals }: TreePlan,
  results: readonly StepResult[],
): Promise<Looked> {
  const done = new Set<RepoPath>();
  const failed = new Set<RepoPath>();
  const isFile = new Set(arrivals.map(({ after }) => after.path));
  for (const { step, outcome, path } of results) {
    if (step.do === 'rmdir' || step.do === 'remove' || step.do === 'park') continue;
    if (outcome === 'done' && path === step.path) done.add(path);
    // A folder that did not get its mode is here, and so is what is in it.
    else if (step.do !== 'touch' || isFile.has(step.path)) failed.add(step.path);
  }
  for (const path of failed) done.delete(path);
  const files = arrivals.filter(({ after, here }) => here && done.has(after.path)).map(({ after }) => after);
  const looked = new Map<RepoPath, Placed>();
  const times = new Map(files.map(({ path, mtimeNs }) => [path, mtimeNs]));
  const live = new LiveTree(repo.layout.root);
  try {
    for (const placed of await lookAtPlaced(repo, files)) {
      const stats = placed.stats.slice();
      if (timeNs(stats[STAT.mtime]!) !== times.get(placed.path)) stats[STAT.ctime] = 0n;
      const mode = live.stat(placed.path)?.mode;
      looked.set(placed.path, {
        ...placed,
        stats,
        ...(mode !== undefined && { mode: Number(mode & 0o7777n) }),
      });
    }
  } finally {
    live.close();
  }
  for (const { path } of files) if (!looked.has(path)) failed.add(path);
  return { looked, failed };
}
