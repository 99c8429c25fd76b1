import path from 'node:path';
import { parseSubset } from '@bk/core';
import { checkedName } from '@bk/store';
import { lookAtFinished } from './clone/again.ts';
import { foresee } from './clone/foresee.ts';
import { Cloning } from './clone/make.ts';
import { type CloneOptions, type CloneResult, type CloneWork, planClone } from './clone/plan.ts';
import { checkSpace } from './clone/space.ts';
import { lookAtTarget, makeTarget, unmakeTarget } from './clone/target.ts';
import type { Context } from './context.ts';
import { Pool } from './observe/pool.ts';

export type { CloneOptions, CloneResult } from './clone/plan.ts';
export { type CloneSource, cloneSourceOf, openCloneSource } from './clone/source.ts';

/**
 * Makes a new repository at `dst` with the whole history and the contents of a subset, each verified. Until it is whole
 * there is no config.json, so it is no repository yet; the same call goes on where an interrupted one was.
 * @throws BkError 'refused' if anything else is at `dst`, 'no-space' before anything is made, 'inside-repository', 'locked'
 */
export async function clone(dst: string, options: CloneOptions, context: Context): Promise<CloneResult> {
  const subset = parseSubset(options.include ?? [], options.exclude ?? []);
  if (options.name !== undefined) checkedName(options.name);
  const { from, pinned = false } = options;
  const target = lookAtTarget(path.resolve(dst), { source: from.facts.id, subset, pinned });
  if (target.is === 'done') {
    const { id, commit, files, bytes, missing } = lookAtFinished(target.layout);
    return { root: target.root, id, commit: commit ?? null, files, bytes, missing, warnings: [] };
  }
  const pool = new Pool();
  try {
    return await run({ target, subset, options, context, pool });
  } finally {
    pool.close();
  }
}

async function run(work: CloneWork): Promise<CloneResult> {
  const { target, options } = work;
  const begun = target.is === 'begun' ? target.state : undefined;
  const { repository, facts } = options.from;
  const commit = begun?.commit === undefined ? (facts.head ?? null) : begun.commit;
  // Threads of a large clone begin while it is planned; the number is a hint.
  if ((repository?.index.files ?? 0) > MANY_FILES) work.pool.start();
  if (options.dryRun === true) return foresee(work, target.root, commit);
  // Of a repository that can be opened here, everything is known before anything is made.
  const plan =
    repository === undefined ? undefined : await planClone(work, repository.layout.history, commit);
  if (plan !== undefined && begun === undefined)
    checkSpace(target.root, plan.totals, repository?.layout.root);
  const made = makeTarget(target);
  const cloning = new Cloning(work, made);
  try {
    return await cloning.run(plan, begun, commit);
  } catch (error) {
    if (!cloning.hasCopied) unmakeTarget(made);
    throw error;
  }
}

const MANY_FILES = 10_000;
