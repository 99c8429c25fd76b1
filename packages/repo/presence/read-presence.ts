import {
  BkError,
  type GitId,
  PRESENT_TREE,
  parseRepositoryFacts,
  presenceRef,
  REPOSITORY_FILE,
  type RepositoryFacts,
  repositoryOfRef,
} from '@bk/core';
import { type HistoryReader, listRefs, PRESENCE_REFS, readRef } from '@bk/store';

/** What a known repository said of itself last, and what it held then. */
export interface Presence {
  /** Of its chain. */
  readonly commit: GitId;
  readonly facts: RepositoryFacts;
  /** The tree `present/`; undefined: it holds nothing. */
  readonly present: GitId | undefined;
}

/** Where presences are read from; a Repository is one. */
export interface Knowing {
  readonly layout: { readonly history: string };
  readonly history: HistoryReader;
}

/** Every known repository, this one too, by id. One that cannot be read is left out and reported by `check`. */
export function presences({ layout, history }: Knowing): Presence[] {
  return listRefs(layout.history, PRESENCE_REFS).flatMap(([ref, commit]) => {
    const id = repositoryOfRef(ref);
    if (id === undefined) return [];
    try {
      return [readPresence(history, id, commit)];
    } catch (error) {
      if (error instanceof BkError && error.code === 'damaged') return [];
      throw error;
    }
  });
}

/** This repository's own; undefined: it has not said anything yet. @throws BkError 'damaged' */
export function ownPresence({
  layout,
  history,
  config,
}: Knowing & { readonly config: { readonly id: string } }): Presence | undefined {
  const commit = readRef(layout.history, presenceRef(config.id));
  return commit === undefined ? undefined : readPresence(history, config.id, commit);
}

/** What one commit of a repository's chain says. @throws BkError 'damaged' */
export function readPresence(history: HistoryReader, id: string, commit: GitId): Presence {
  const entries = history.readTree(history.readCommit(commit).tree);
  const about = entries.find(({ name, kind }) => name === REPOSITORY_FILE && kind === 'blob');
  if (about === undefined)
    throw new BkError('damaged', `cannot read the presence of ${id}: it has no ${REPOSITORY_FILE}`, {
      hint: 'run `bk check`',
    });
  const present = entries.find(({ name, kind }) => name === PRESENT_TREE && kind === 'tree')?.id;
  return { commit, facts: parseRepositoryFacts(history.readBlobText(about.id), id), present };
}
