import {
  DIRECTORY_RECORD,
  type EncodedName,
  type GitId,
  isEverything,
  joinPath,
  nameOf,
  parentOf,
  parseRecord,
  type RepoPath,
  ROOT,
  type Selector,
  type Subset,
  selectorOf,
} from '@bk/core';
import { findInTree, type ObjectReader, walkTree } from '@bk/store';

/** Name of a nested project's own git folder, as it is spelled in the history. */
export const GIT_OWNED = '%2Egit' as EncodedName;

/**
 * A subset's selector for a tree of the history, as core's selectorFor, without reading the records of files. Cost: a read
 * of each folder's tree, and nothing if everything is wanted; again of a folder that wildcards may cut.
 */
export function treeSelector(reader: ObjectReader, tree: GitId, subset: Subset): Selector {
  if (isEverything(subset)) return selectorOf(subset);
  return selectorOf(subset, {
    roots: entityRoots(reader, tree),
    filesIn: (root) => filesBelow(reader, tree, root),
    namesIn: (folder) => fileNames(reader, tree, folder),
  });
}

function entityRoots(reader: ObjectReader, tree: GitId): Set<RepoPath> {
  const roots = new Set<RepoPath>();
  const waiting = [{ folder: ROOT, id: tree }];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const { folder } = at;
    for (const { name, kind, id } of reader.readTree(at.id)) {
      if (name === GIT_OWNED && folder !== ROOT) roots.add(folder);
      if (kind === 'tree') waiting.push({ folder: joinPath(folder, name), id });
      else if (name === DIRECTORY_RECORD && folder !== ROOT && isEntity(reader, id)) roots.add(folder);
    }
  }
  return roots;
}

function isEntity(reader: ObjectReader, blob: GitId): boolean {
  return parseRecord(reader.readBlobText(blob)).entity !== undefined;
}

function* filesBelow(reader: ObjectReader, tree: GitId, root: RepoPath): Generator<RepoPath> {
  const found = findInTree(reader, tree, root);
  if (found?.kind !== 'tree') return;
  for (const { path } of walkTree(reader, found.id, root)) if (nameOf(path) !== DIRECTORY_RECORD) yield path;
}

/** Names of the files and links directly in a folder of a tree; none if it has no such folder. */
export function* fileNames(reader: ObjectReader, tree: GitId, folder: RepoPath): Generator<EncodedName> {
  const found = findInTree(reader, tree, folder);
  if (found?.kind !== 'tree') return;
  for (const { name, kind } of reader.readTree(found.id))
    if (kind === 'blob' && name !== DIRECTORY_RECORD) yield name;
}

/** Where a record's blob stands: that of a folder (`.bkdir`) at the folder's own path. */
export function placeOf(path: RepoPath): { readonly path: RepoPath; readonly isFolder: boolean } {
  const isFolder = nameOf(path) === DIRECTORY_RECORD;
  return { path: isFolder ? parentOf(path) : path, isFolder };
}
