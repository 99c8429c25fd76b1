import { BkError, hasOwnRecord, parseRecord, type Rec, type RepoPath, ROOT } from '@bk/core';
import type { Repository } from '../repository.ts';
import { recordAt } from './draft.ts';
import { headEntries, headEntry } from './head-entries.ts';

/** A file, link or folder of the head, here or not. */
export interface HeadObject {
  readonly path: RepoPath;
  readonly isFolder: boolean;
  /** Undefined: a folder without a record of its own. */
  readonly record: Rec | undefined;
}

/** @throws BkError 'not-found' if the head has nothing at the path */
export function headObject(repo: Repository, path: RepoPath): HeadObject {
  const entry = path === ROOT ? undefined : headEntry(repo, path);
  const read = (known: Parameters<typeof recordAt>[0], k: number): Rec =>
    parseRecord(repo.history.readBlobText(recordAt(known, k)));
  if (entry !== undefined) return { path, isFolder: false, record: read(entry.known, entry.k) };
  const known = repo.index.known(path);
  if (known !== undefined)
    return { path, isFolder: true, record: hasOwnRecord(known) ? read(known, 0) : undefined };
  throw new BkError('not-found', `the last commit has no ${path}`, {
    path,
    hint: 'what is new, or has another name now, must be committed first: `bk commit`',
  });
}

/** The objects at the paths, each once; `recursive`: of folders the files and links in them, not the folders. */
export function headObjects(
  repo: Repository,
  paths: readonly RepoPath[],
  recursive = false,
): readonly HeadObject[] {
  const found = new Map<RepoPath, HeadObject>();
  for (const path of new Set(paths)) {
    const object = headObject(repo, path);
    if (!object.isFolder || !recursive) found.set(path, object);
  }
  if (!recursive) return [...found.values()];
  const folders = paths.filter((path) => !found.has(path));
  for (const { path, known, k } of headEntries(repo, folders)) {
    const record = parseRecord(repo.history.readBlobText(recordAt(known, k)));
    found.set(path, { path, isFolder: false, record });
  }
  return [...found.values()];
}
