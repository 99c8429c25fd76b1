import { BkError, type GitId, type RepositoryFacts } from '@bk/core';
import type { Context } from './context.ts';
import type { Repository } from './repository.ts';

/** What a known repository said of itself last, and what it held then. */
export interface Presence {
  /** Of its chain. */
  readonly commit: GitId;
  readonly facts: RepositoryFacts;
  /** The tree `present/`; undefined: it holds nothing. */
  readonly present: GitId | undefined;
}

/** Every known repository, this one too, by id. One that cannot be read is left out and reported by `check`. */
export function presences(_repo: Pick<Repository, 'layout' | 'history'>): Presence[] {
  throw new BkError('bug', 'not built yet');
}

/** This repository's own. */
export function ownPresence(_repo: Pick<Repository, 'layout' | 'history' | 'config'>): Presence | undefined {
  throw new BkError('bug', 'not built yet');
}

/**
 * Writes this repository's presence, if it says anything new: the head's tree without what the index says is absent.
 * Only while writing, after the head moved and the index was written. @returns the new commit
 */
export function publishPresence(_repo: Repository, _context: Context): GitId | undefined {
  throw new BkError('bug', 'not built yet');
}
