import { BkError, type EncodedName, joinPath, nameOf, parentOf, type RepoPath, ROOT } from '@bk/core';
import { LiveTree } from '../observe/live-tree.ts';
import type { Repository } from '../repository.ts';
import { GIT_OWNED } from '../subset/tree.ts';

const LOCK = 'index.lock' as EncodedName;

/**
 * A project with its own `.git` that is in the middle of an operation is left alone: where it would be touched, nothing
 * is done at all, so that nothing of it is left behind or torn.
 * @throws BkError 'refused' that names it
 */
export function refuseBusyProjects(repo: Repository, touched: (path: RepoPath) => boolean): void {
  const owned = repo.index.paths().filter((path) => nameOf(path) === GIT_OWNED);
  const live = new LiveTree(repo.layout.root);
  try {
    for (const git of owned.sort()) {
      const project = parentOf(git);
      if (live.stat(joinPath(git, LOCK)) === undefined || !touched(project)) continue;
      const name = project === ROOT ? 'this folder' : project;
      throw new BkError('refused', `refused: git is at work in ${name}`, {
        hint: `wait until it is done; if no git command is running there, remove ${git}/${LOCK}`,
        path: project,
      });
    }
  } finally {
    live.close();
  }
}
