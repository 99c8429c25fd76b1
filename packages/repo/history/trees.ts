import {
  BkError,
  compareNames,
  DIRECTORY_RECORD,
  type EncodedName,
  type GitId,
  joinPath,
  nameOf,
  parentOf,
  type RepoPath,
  ROOT,
} from '@bk/core';
import type { ObjectReader, ObjectSink, TreeEntry } from '@bk/store';

/** A folder's own record comes only if nothing else is left in it, or goes only if something else is. */
export type When = 'always' | 'if-bare' | 'if-filled';

interface FolderEdit {
  readonly record: GitId | null;
  readonly when: When;
}

/** New records by path of the file (`null`: gone), and of folders' own records under the folder's path. */
export class TreeEdits {
  readonly #folders = new Map<RepoPath, Map<EncodedName, GitId | null>>();
  readonly #children = new Map<RepoPath, Set<RepoPath>>();
  readonly #own = new Map<RepoPath, FolderEdit>();
  readonly #trees = new Map<RepoPath, Map<EncodedName, GitId | null>>();

  #announced = false;

  get isEmpty(): boolean {
    return this.#children.size === 0 && !this.#announced;
  }

  set(path: RepoPath, record: GitId | null): void {
    this.#put(parentOf(path), nameOf(path), record);
  }

  /** A folder with all that is in it; `null`: gone. Nothing in it is to be edited besides. */
  setTree(path: RepoPath, tree: GitId | null): void {
    const folder = parentOf(path);
    const names = this.#trees.get(folder) ?? new Map<EncodedName, GitId | null>();
    this.#trees.set(folder, names.set(nameOf(path), tree));
    this.#announce(folder);
  }

  setFolder(path: RepoPath, record: GitId | null, when: When = 'always'): void {
    // Where one record makes room for another, the other comes in any case.
    const replaces = record !== null && this.#own.get(path)?.record === null;
    this.#own.set(path, { record, when: replaces ? 'always' : when });
    this.#announce(path);
  }

  /** As setFolder, should the folder be edited anyway. */
  offerFolder(path: RepoPath, record: GitId | null, when: When): void {
    this.#own.set(path, { record, when });
  }

  folder(path: RepoPath): FolderEdit | undefined {
    return this.#own.get(path);
  }

  files(path: RepoPath): ReadonlyMap<EncodedName, GitId | null> {
    return this.#folders.get(path) ?? NOTHING;
  }

  trees(path: RepoPath): ReadonlyMap<EncodedName, GitId | null> {
    return this.#trees.get(path) ?? NOTHING;
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
    this.#announced = true;
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

export interface Written {
  /** Undefined: nothing is left. */
  readonly root: GitId | undefined;
  /** Every folder whose tree is new, root included. */
  readonly written: readonly WrittenTree[];
  /** Records that the head had at these paths and the new tree has not. */
  readonly dropped: readonly { readonly path: RepoPath; readonly record: GitId; readonly folder: boolean }[];
  /** Folders whose own record was set or removed; what is bound to a condition need not be. */
  readonly folders: ReadonlySet<RepoPath>;
}

interface WriteOptions {
  readonly reader: Pick<ObjectReader, 'readTree'>;
  readonly writer: Pick<ObjectSink, 'addTree'>;
  readonly root: GitId | undefined;
}

/**
 * Writes the head's tree with the edits. The head's own trees are the base, never the index, so that nothing can be
 * lost that was not edited away. Cost: the edited folders and those above them.
 */
export function writeTrees(edits: TreeEdits, options: WriteOptions): Written {
  const forest = new Forest(edits, options);
  const root = edits.isEmpty ? options.root : forest.build(ROOT, options.root);
  const { written, dropped, folders } = forest;
  return { root, written: written.sort((a, b) => compareNames(a.path, b.path)), dropped, folders };
}

type Entries = Map<EncodedName, TreeEntry>;

class Forest {
  readonly written: WrittenTree[] = [];
  readonly dropped: { path: RepoPath; record: GitId; folder: boolean }[] = [];
  readonly folders = new Set<RepoPath>();
  readonly #edits: TreeEdits;
  readonly #options: WriteOptions;

  constructor(edits: TreeEdits, options: WriteOptions) {
    this.#edits = edits;
    this.#options = options;
  }

  build(path: RepoPath, old: GitId | undefined): GitId | undefined {
    const { reader, writer } = this.#options;
    const entries: Entries = new Map();
    if (old !== undefined) for (const entry of reader.readTree(old)) entries.set(entry.name, entry);
    for (const [name, record] of this.#edits.files(path))
      if (record === null) this.#remove(path, name, entries);
    for (const [name, tree] of this.#edits.trees(path)) {
      if (entries.get(name)?.kind === 'tree') entries.delete(name);
      if (tree !== null) this.#putTree(path, { name, kind: 'tree', id: tree }, entries);
    }
    for (const child of this.#edits.below(path)) this.#buildChild(child, entries);
    for (const [name, record] of this.#edits.files(path))
      if (record !== null) this.#put(path, { name, kind: 'blob', id: record }, entries);
    this.#ownRecord(path, entries);
    const list = [...entries.values()];
    const tree = list.length === 0 && path !== ROOT ? undefined : writer.addTree(list);
    if (tree !== old) this.written.push({ path, tree, entries: list });
    return tree;
  }

  #buildChild(child: RepoPath, entries: Entries): void {
    const name = nameOf(child);
    const before = entries.get(name);
    const id = this.build(child, before?.kind === 'tree' ? before.id : undefined);
    if (id === undefined) {
      if (before?.kind === 'tree') entries.delete(name);
      return;
    }
    if (before?.kind === 'blob') throw inTheWay(child);
    entries.set(name, { name, kind: 'tree', id });
  }

  #put(path: RepoPath, entry: TreeEntry, entries: Entries): void {
    const before = entries.get(entry.name);
    if (before?.kind === 'tree') throw inTheWay(joinPath(path, entry.name));
    if (before !== undefined && before.id !== entry.id) this.#remove(path, entry.name, entries);
    entries.set(entry.name, entry);
  }

  #putTree(path: RepoPath, entry: TreeEntry, entries: Entries): void {
    if (entries.has(entry.name)) throw inTheWay(joinPath(path, entry.name));
    entries.set(entry.name, entry);
  }

  #remove(path: RepoPath, name: EncodedName, entries: Entries): void {
    const before = entries.get(name);
    if (before?.kind !== 'blob') return;
    entries.delete(name);
    const folder = name === DIRECTORY_RECORD;
    this.dropped.push({ path: folder ? path : joinPath(path, name), record: before.id, folder });
  }

  #ownRecord(path: RepoPath, entries: Entries): void {
    const edit = this.#edits.folder(path);
    if (edit === undefined) return;
    const bare = entries.size === (entries.has(DIRECTORY_RECORD) ? 1 : 0);
    if (edit.when !== 'always' && (edit.when === 'if-bare') !== bare) return;
    this.folders.add(path);
    if (edit.record === null) this.#remove(path, DIRECTORY_RECORD, entries);
    else this.#put(path, { name: DIRECTORY_RECORD, kind: 'blob', id: edit.record }, entries);
  }
}

function inTheWay(path: RepoPath): BkError {
  return new BkError(
    'bug',
    `cannot commit ${path}: the history has something else there that is not deleted`,
    {
      path,
      hint: 'nothing was changed; please report this',
    },
  );
}

/** The tree of a folder in a commit's tree; undefined if it has none. */
export function treeAt(
  reader: Pick<ObjectReader, 'readTree'>,
  root: GitId | undefined,
  path: RepoPath,
): GitId | undefined {
  let tree = root;
  let at = ROOT;
  for (const name of path === ROOT ? [] : path.split('/')) {
    if (tree === undefined) return undefined;
    at = joinPath(at, name as EncodedName);
    tree = reader.readTree(tree).find((entry) => entry.name === name && entry.kind === 'tree')?.id;
  }
  return tree;
}
