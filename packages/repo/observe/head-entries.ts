import {
  type ContentHash,
  decodeName,
  isInside,
  KIND,
  type KnownDirectory,
  nameOf,
  PROTECTION,
  parentOf,
  type RepoPath,
  ROOT,
} from '@bk/core';
import type { Repository } from '../repository.ts';
import { entryPath, hashAt } from './draft.ts';

/** A file or link of the head: entry `k` of its folder's row in the index. */
export interface HeadEntry {
  readonly path: RepoPath;
  readonly known: KnownDirectory;
  readonly k: number;
}

/** The files and links of the head at and below paths, each once, in byte order of their folders below each path. */
export function* headEntries(repo: Repository, paths: readonly RepoPath[]): Generator<HeadEntry> {
  const roots = [...new Set(paths)];
  for (const path of roots) {
    if (roots.some((other) => other !== path && isInside(path, other))) continue;
    const single = path === ROOT ? undefined : headEntry(repo, path);
    if (single !== undefined) {
      yield single;
      continue;
    }
    for (const [folder, known] of repo.index.below(path))
      for (let k = 1; k < known.listing.names.length; k++)
        if (known.listing.kinds[k] !== KIND.dir)
          yield { path: entryPath(folder, known.listing, k), known, k };
  }
}

/** The file or link of the head at a path; undefined if it has none there. */
export function headEntry(repo: Repository, path: RepoPath): HeadEntry | undefined {
  const known = repo.index.known(parentOf(path));
  if (known === undefined) return undefined;
  const k = known.listing.names.indexOf(decodeName(nameOf(path)), 1);
  return k < 1 || known.listing.kinds[k] === KIND.dir ? undefined : { path, known, k };
}

/** Paths at which the head has nothing. */
export function unknownPaths(repo: Repository, paths: readonly RepoPath[]): RepoPath[] {
  return paths.filter(
    (path) => path !== ROOT && headEntry(repo, path) === undefined && repo.index.known(path) === undefined,
  );
}

export function isAbsentEntry({ known, k }: HeadEntry): boolean {
  return known.protections[k] === PROTECTION.absent;
}

export function contentOfEntry({ known, k }: HeadEntry): ContentHash {
  return hashAt(known, k);
}
