import { compareNames, DIRECTORY_RECORD, type EncodedName, type GitId, joinPath, nameOf, parentOf, ROOT, type RepoPath } from '@bk/core';
import type { HistoryReader, PackWriter, TreeEntry } from '@bk/store';

/** New records by path of the file (`null`: gone), and of folders' own records under the folder's path. */
export class TreeEdits {
  readonly #folders = new Map<RepoPath, Map<EncodedName, GitId | null>>();
  readonly #children = new Map<RepoPath, Set<RepoPath>>();

  get isEmpty(): boolean {
    return this.#folders.size === 0;
  }

  set(path: RepoPath, record: GitId | null): void {
    this.#put(parentOf(path), nameOf(path), record);
  }

  setFolder(path: RepoPath, record: GitId | null): void {
    this.#put(path, DIRECTORY_RECORD, record);
  }

  files(path: RepoPath): ReadonlyMap<EncodedName, GitId | null> {
    return this.#folders.get(path) ?? NOTHING;
  }

  /** Sub-folders at or below which something is edited. */
  below(path: RepoPath): Iterable<RepoPath> {
    return this.#children.get(path) ?? [];
  }

  #put(folder: RepoPath, name: EncodedName, record: GitId | null): void {
    let names = this.#folders.get(folder);
    if (names === undefined) {
      names = new Map();
      this.#folders.set(folder, names);
      this.#announce(folder);
    }
    names.set(name, record);
  }

  #announce(folder: RepoPath): void {
    for (let path = folder; path !== ROOT; ) {
      const parent = parentOf(path);
      const siblings = this.#children.get(parent);
      if (siblings?.has(path)) return;
      if (siblings === undefined) this.#children.set(parent, new Set([path]));
      else {
        siblings.add(path);
        return;
      }
      path = parent;
    }
  }
}

const NOTHING: ReadonlyMap<EncodedName, GitId | null> = new Map();

/** A folder of the new tree that differs from the head's; `tree` undefined: it is gone. */
export interface WrittenTree {
  readonly path: RepoPath;
  readonly tree: GitId | undefined;
  readonly entries: readonly TreeEntry[];
}

/**
 * Writes the head's tree with the edits. The head's own trees are the base, never the index, so that nothing can be
 * lost that was not edited away. Cost: the edited folders and those above them.
 * @returns the new root (undefined: nothing is left) and every folder whose tree is new, root included
 */
export function writeTrees(
  edits: TreeEdits,
  { reader, writer, root }: { readonly reader: HistoryReader; readonly writer: PackWriter; readonly root: GitId | undefined },
): { readonly root: GitId | undefined; readonly written: readonly WrittenTree[] } {
  const written: WrittenTree[] = [];
  const build = (path: RepoPath, old: GitId | undefined): GitId | undefined => {
    const entries = new Map<EncodedName, TreeEntry>();
    if (old !== undefined) for (const entry of reader.readTree(old)) entries.set(entry.name, entry);
    for (const child of edits.below(path)) {
      const name = nameOf(child);
      const before = entries.get(name);
      const id = build(child, before?.kind === 'tree' ? before.id : undefined);
      if (id !== undefined) entries.set(name, { name, kind: 'tree', id });
      else if (before?.kind === 'tree') entries.delete(name);
    }
    for (const [name, record] of edits.files(path)) {
      if (record !== null) entries.set(name, { name, kind: 'blob', id: record });
      else if (entries.get(name)?.kind === 'blob') entries.delete(name);
    }
    const list = [...entries.values()];
    const tree = list.length === 0 && path !== ROOT ? undefined : writer.addTree(list);
    if (tree !== old) written.push({ path, tree, entries: list });
    return tree;
  };
  return { root: build(ROOT, root), written: written.sort((a, b) => compareNames(a.path, b.path)) };
}

/** The tree of a folder in a commit's tree; undefined if it has none. */
export function treeAt(reader: HistoryReader, root: GitId | undefined, path: RepoPath): GitId | undefined {
  let tree = root;
  let at = ROOT;
  for (const name of path === ROOT ? [] : path.split('/')) {
    if (tree === undefined) return undefined;
    at = joinPath(at, name as EncodedName);
    tree = reader.readTree(tree).find((entry) => entry.name === name && entry.kind === 'tree')?.id;
  }
  return tree;
}
