import {
  DIRECTORY_RECORD,
  type EncodedName,
  type GitId,
  hasAbsent,
  isWhollyAbsent,
  joinPath,
  type KnownDirectory,
  PROTECTION,
  presentEdits,
  type RepoPath,
  ROOT,
} from '@bk/core';
import { type HistoryReader, IndexDamaged, type PackWriter, type TreeEntry } from '@bk/store';
import { entryPath } from '../observe/draft.ts';

/** What an index says of absence; IndexDb is one. */
export interface AbsenceIndex {
  readonly absent: { readonly any: boolean; partial(): readonly RepoPath[] };
  known(path: RepoPath): KnownDirectory | undefined;
}

/** Rows that will be in the index once a change of it is written. */
export interface RowsToBe {
  readonly index: AbsenceIndex;
  readonly put: ReadonlyMap<RepoPath, KnownDirectory>;
  readonly remove?: ReadonlySet<RepoPath>;
}

export interface PresentTreeSources extends RowsToBe {
  readonly history: HistoryReader;
  /** Entries of trees that are not in the history yet. */
  readonly written?: ReadonlyMap<RepoPath, readonly TreeEntry[]>;
  /** The tree of a folder in the head; absent: as its row says. */
  readonly treeOf?: (path: RepoPath) => GitId | undefined;
}

/**
 * The tree `present/`: the head's without what the rows say is absent, which is the head's own tree if nothing is.
 * Cost: the folders that are here in part, and those above them.
 */
export function presentTree(head: GitId, sources: PresentTreeSources, writer: PackWriter): GitId {
  const { history, written, put, index, treeOf } = sources;
  const made = new Map<RepoPath, GitId | undefined>();
  for (const { folder, without } of presentEdits(absentPaths(sources))) {
    const tree = treeOf ?? ((path) => (put.get(path) ?? index.known(path))?.tree);
    const entries = written?.get(folder) ?? history.readTree(tree(folder) ?? noRow(folder));
    const left = entries.flatMap((entry): TreeEntry[] => {
      if (without.has(entry.name)) return [];
      const path = joinPath(folder, entry.name);
      if (!made.has(path)) return [entry];
      const id = made.get(path);
      return id === undefined ? [] : [{ ...entry, id }];
    });
    made.set(folder, left.length === 0 && folder !== ROOT ? undefined : writer.addTree(left));
  }
  return made.get(ROOT) ?? head;
}

/** Files, links, whole folders and folders' own records that are absent; nothing below a folder that is. */
function* absentPaths(sources: RowsToBe): Generator<RepoPath> {
  for (const [folder, { listing, protections }] of partialRows(sources)) {
    for (let k = 0; k < protections.length; k++) {
      if (protections[k] !== PROTECTION.absent) continue;
      yield k === 0 ? joinPath(folder, DIRECTORY_RECORD as EncodedName) : entryPath(folder, listing, k);
    }
  }
}

function* partialRows({ index, put, remove }: RowsToBe): Generator<readonly [RepoPath, KnownDirectory]> {
  for (const path of index.absent.any ? index.absent.partial() : [])
    if (!put.has(path) && remove?.has(path) !== true) yield [path, index.known(path) ?? noRow(path)];
  for (const [path, known] of put)
    if (hasAbsent(known) && (path === ROOT || !isWhollyAbsent(known))) yield [path, known];
}

function noRow(path: RepoPath): never {
  throw new IndexDamaged(`it has no row of "${path}"`);
}
