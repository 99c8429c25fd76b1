import { BkError } from '@bk/core';
import type { Repository } from '@bk/repo';
import type { Session } from './session.ts';

export interface RevisionsAndPaths {
  readonly revisions: readonly string[];
  readonly paths: readonly string[];
}

export interface MixedArguments {
  readonly given: readonly string[];
  /** How many of them stood after `--`: those are paths. */
  readonly literal: number;
  /** How many revisions there may be at most. */
  readonly most: number;
}

/**
 * Tells revisions from paths where both may stand, revisions first: what is there in the folder is a path (a folder
 * `2019` is not a commit id), what else names a commit is a revision, and after `--` everything is a path.
 */
export async function revisionsAndPaths(
  { given, literal, most }: MixedArguments,
  repository: Repository,
  session: Session,
): Promise<RevisionsAndPaths> {
  const { commitOf } = await import('@bk/repo');
  const open = given.length - literal;
  const isRevision = (text: string): boolean => {
    if (session.exists(text)) return false;
    try {
      commitOf(repository, text, session.context);
      return true;
    } catch (error) {
      if (error instanceof BkError && (error.code === 'not-found' || error.code === 'usage'))
        return text === 'HEAD';
      throw error;
    }
  };
  let count = 0;
  while (count < open && count < most && isRevision(given[count] ?? '')) count++;
  return { revisions: given.slice(0, count), paths: given.slice(count) };
}
