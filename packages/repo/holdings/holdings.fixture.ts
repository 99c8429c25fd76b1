import {
  type ContentHash,
  type EncodedName,
  EVERYTHING,
  formatRecord,
  formatRepositoryFacts,
  type GitId,
  type ObjectId,
  PRESENT_TREE,
  presenceMessage,
  presenceRef,
  REPOSITORY_FILE,
  type RepoPath,
  type RepositoryFacts,
  subsetHash,
} from '@bk/core';
import {
  makeStaging,
  newTransactionId,
  PackWriter,
  removeStaging,
  type TreeEntry,
  updateRef,
  walkTree,
} from '@bk/store';
import type { Repository } from '../repository.ts';

/** A made-up repository elsewhere. */
export interface Elsewhere {
  /** One digit or letter a to f: its id is made of it. */
  readonly digit: string;
  readonly name: string;
  readonly volume: string;
  readonly verified?: string;
  /** Which files of the head it holds; absent: all. */
  readonly holds?: (path: RepoPath) => boolean;
  /** Files that it holds and the head has not (there). */
  readonly others?: readonly { readonly path: string; readonly blake3: ContentHash; readonly size: number }[];
}

export const SEEN = '2026-09-01T00:00:00.000000000Z';

export function idOf(digit: string): string {
  return '8-4-4-4-12'.replace(/\d+/g, (count) => digit.repeat(Number(count)));
}

/** Writes what a repository elsewhere said of itself, as a fetch would have brought it. */
export function tell(repo: Repository, elsewhere: Elsewhere): void {
  const id = newTransactionId();
  const writer = new PackWriter(repo.layout.history, makeStaging(repo.layout, id));
  const top: Folder = { files: new Map(), folders: new Map() };
  if (repo.head !== undefined) {
    for (const { path, id } of walkTree(repo.history, repo.history.readCommit(repo.head).tree))
      if (elsewhere.holds?.(path) !== false) put(top, path, id);
  }
  for (const { path, blake3, size } of elsewhere.others ?? []) {
    const mtime = SEEN;
    const record = {
      v: 1,
      id: idOf('0') as ObjectId,
      type: 'file',
      blake3,
      size,
      mtime,
      mode: '0644',
    } as const;
    put(top, path, writer.addBlob(formatRecord(record)));
  }
  const { name, volume, verified } = elsewhere;
  const facts: RepositoryFacts = {
    v: 1,
    ...{ id: idOf(elsewhere.digit), name, volume, kind: 'folder', time: SEEN },
    subset: { ...EVERYTHING, hash: subsetHash(EVERYTHING) },
    ...(verified !== undefined && { verified }),
  };
  const present = treeOf(writer, top);
  const tree = writer.addTree([
    { name: REPOSITORY_FILE, kind: 'blob', id: writer.addBlob(formatRepositoryFacts(facts)) },
    ...(present === undefined ? [] : [{ name: PRESENT_TREE, kind: 'tree', id: present } as const]),
  ]);
  const by = { name: 'a', email: 'a@b', timeSec: 1_788_220_800, offsetMinutes: 0 };
  const commit = writer.addCommit({
    tree,
    parents: [],
    author: by,
    committer: by,
    message: presenceMessage(facts),
  });
  writer.finish();
  updateRef(repo.layout.history, presenceRef(facts.id), undefined, commit);
  removeStaging(repo.layout, id);
}

interface Folder {
  readonly files: Map<string, GitId>;
  readonly folders: Map<string, Folder>;
}

function put(top: Folder, path: string, id: GitId): void {
  const names = path.split('/');
  const name = names.pop() ?? '';
  let folder = top;
  for (const each of names) {
    const next: Folder = folder.folders.get(each) ?? { files: new Map(), folders: new Map() };
    folder.folders.set(each, next);
    folder = next;
  }
  folder.files.set(name, id);
}

function treeOf(writer: PackWriter, { files, folders }: Folder): GitId | undefined {
  const entries: TreeEntry[] = [...files].map(([name, id]) => ({
    name: name as EncodedName,
    kind: 'blob',
    id,
  }));
  for (const [name, folder] of folders) {
    const id = treeOf(writer, folder);
    if (id !== undefined) entries.push({ name: name as EncodedName, kind: 'tree', id });
  }
  return entries.length === 0 ? undefined : writer.addTree(entries);
}
