import fs from 'node:fs';
import { decodePath, type EntryType, parentOf, type RepoPath } from '@bk/core';
import { bytePath, LONG_PATH, nodePath, withHeldDirectory } from '@bk/worktree';

/** Whether something of the same type is at the path now. */
export function isHere(
  root: string,
  { path, type }: { readonly path: RepoPath; readonly type: EntryType },
): boolean {
  const bytes = bytePath(root);
  const below = decodePath(path);
  const stat =
    bytes.length + below.length < LONG_PATH
      ? lstat(`${bytes}/${below}`)
      : lstatBelow(bytes, decodePath(parentOf(path)), below.slice(decodePath(parentOf(path)).length + 1));
  if (stat === undefined) return false;
  return type === 'dir' ? stat.isDirectory() : type === 'symlink' ? stat.isSymbolicLink() : stat.isFile();
}

function lstatBelow(root: string, folder: string, name: string): fs.Stats | undefined {
  try {
    return withHeldDirectory(root, folder, (place) => lstat(`${place}/${name}`));
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

function lstat(bytes: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(nodePath(bytes), { throwIfNoEntry: false });
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** A folder on the way is gone, is a file now, or is a link, which is never followed. */
function isAbsence(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '');
}
