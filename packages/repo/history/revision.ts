import { BkError, type GitId, parseRev } from '@bk/core';
import { type HistoryReader, isRefName, readRef, resolveRev } from '@bk/store';
import type { Context } from '../context.ts';

/** As much of a repository as reading its history needs. */
export interface Past {
  readonly history: HistoryReader;
  /** Undefined before the first commit. */
  readonly head: GitId | undefined;
  readonly layout: { readonly history: string };
}

/** The commit that a REV of the command line means; dates without an offset are local ones. @throws BkError 'usage', 'not-found' */
export function commitOf(repo: Past, rev: string, context: Pick<Context, 'nowMs'>): GitId {
  const ms = context.nowMs();
  const now = { ms, offsetMinutes: -new Date(ms).getTimezoneOffset() };
  return resolveRev(parseRev(rev, now), {
    reader: repo.history,
    head: repo.head,
    remote(name) {
      const ref = `refs/remotes/${name}/main`;
      return isRefName(ref) ? readRef(repo.layout.history, ref) : undefined;
    },
  });
}

/**
 * Parts the arguments of a verb that takes revisions, then paths (`diff`, `ls`): leading ones that name a commit are
 * revisions, at most `most`. What is a path too is taken for the path; `NAME~0` says that a revision is meant.
 */
export function partRevisions(
  repo: Past,
  list: readonly string[],
  options: { readonly most: number; isPath(argument: string): boolean },
  context: Pick<Context, 'nowMs'>,
): { readonly revs: readonly string[]; readonly rest: readonly string[] } {
  let count = 0;
  while (count < Math.min(options.most, list.length)) {
    const argument = list[count]!;
    if (options.isPath(argument) || !isRevision(repo, argument, context)) break;
    count++;
  }
  return { revs: list.slice(0, count), rest: list.slice(count) };
}

function isRevision(repo: Past, text: string, context: Pick<Context, 'nowMs'>): boolean {
  try {
    commitOf(repo, text, context);
    return true;
  } catch (error) {
    if (error instanceof BkError && (error.code === 'usage' || error.code === 'not-found')) return false;
    throw error;
  }
}
