import { type GitId, parseRev } from '@bk/core';
import { type HistoryReader, isRefName, readRef, resolveRev } from '@bk/store';
import type { Context } from './context.ts';

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
