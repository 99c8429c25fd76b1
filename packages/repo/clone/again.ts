import {
  encodeName,
  type FsName,
  joinPath,
  KIND,
  type PathProblem,
  PROTECTION,
  ROOT,
  STAT,
  STAT_WIDTH,
} from '@bk/core';
import type { Layout } from '@bk/store';
import type { Repository } from '../repository.ts';
import { openRepository } from '../repository.ts';
import { selectFolders } from './selection.ts';

export interface Here {
  /** Files and links. */
  readonly files: number;
  readonly bytes: number;
}

/** What of the head is on this disk, by the index. */
export function countHere(repo: Repository): Here {
  let files = 0;
  let bytes = 0;
  if (repo.head === undefined) return { files, bytes };
  for (const [, { listing, protections }] of repo.index.below(ROOT)) {
    for (let k = 1; k < listing.names.length; k++) {
      if (listing.kinds[k] === KIND.dir || protections[k] === PROTECTION.absent) continue;
      files++;
      bytes += Number(listing.stats[k * STAT_WIDTH + STAT.size]);
    }
  }
  return { files, bytes };
}

export interface Finished extends Here {
  readonly id: string;
  readonly commit: Repository['head'];
  readonly missing: readonly PathProblem[];
}

/** What a clone that is finished has and lacks; nothing is changed. */
export function lookAtFinished(layout: Layout): Finished {
  const repo = openRepository(layout.root);
  try {
    return { id: repo.config.id, commit: repo.head, ...countHere(repo), missing: lacking(repo) };
  } finally {
    repo.close();
  }
}

/** What the subset selects and is not here. */
function lacking(repo: Repository): PathProblem[] {
  if (repo.head === undefined) return [];
  const { include = [], exclude = [] } = repo.config.subset ?? {};
  const { folders } = selectFolders(repo.history, repo.history.readCommit(repo.head).tree, {
    include,
    exclude,
  });
  const missing: PathProblem[] = [];
  for (const part of folders) {
    const row = part.made ? repo.index.known(part.path) : undefined;
    const wanted = part.files === 'all' ? undefined : new Set<string>(part.files);
    row?.listing.names.forEach((name, k) => {
      if (k === 0 || row.listing.kinds[k] === KIND.dir || row.protections[k] !== PROTECTION.absent) return;
      const encoded = encodeName(name as FsName);
      if (wanted?.has(encoded) === false) return;
      missing.push({ path: joinPath(part.path, encoded), reason: 'it is not here' });
    });
  }
  return missing.sort((a, b) => (a.path < b.path ? -1 : 1));
}
