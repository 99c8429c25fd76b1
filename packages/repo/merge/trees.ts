import {
  DIRECTORY_RECORD,
  type EncodedName,
  type GitId,
  joinPath,
  type MergeEntry,
  type MergeFacts,
  type MergeInput,
  nameOf,
  parentOf,
  type Rec,
  type RepoPath,
  ROOT,
  type WhichTree,
} from '@bk/core';
import { findInTree, type ObjectReader, type TreeEntry, walkTree } from '@bk/store';
import { recordPath } from '../history/differences.ts';

/** The trees of a merge; of a base undefined: the histories have nothing in common. */
export interface MergeTrees {
  readonly base: GitId | undefined;
  readonly sides: readonly [GitId, GitId];
}

/**
 * What differs between three trees, as the merge wants it. Where all three have the same folder it is not read, so the
 * cost follows what was changed on either side.
 * @param read a record of a blob, each read once
 */
export function mergeInput(
  reader: Pick<ObjectReader, 'readTree'>,
  { base, sides }: MergeTrees,
  read: (blob: GitId) => Rec,
): MergeInput {
  const lists: [MergeEntry[], MergeEntry[], MergeEntry[]] = [[], [], []];
  const put = (which: number, path: RepoPath, name: EncodedName, blob: GitId): void =>
    void lists[which]!.push({
      path: name === DIRECTORY_RECORD ? path : joinPath(path, name),
      record: read(blob),
      blob,
    });
  const visit = (path: RepoPath, trees: readonly (GitId | undefined)[]): void => {
    const names = new Map<EncodedName, (TreeEntry | undefined)[]>();
    trees.forEach((tree, which) => {
      for (const entry of tree === undefined ? [] : reader.readTree(tree)) {
        const there = names.get(entry.name) ?? [undefined, undefined, undefined];
        there[which] = entry;
        names.set(entry.name, there);
      }
    });
    for (const [name, [b, x, y]] of names) {
      if (isSame(b, x) && isSame(b, y)) continue;
      const there = [b, x, y];
      there.forEach((entry, which) => {
        if (entry?.kind === 'blob') put(which, path, name, entry.id);
      });
      if (there.some((entry) => entry?.kind === 'tree'))
        visit(
          joinPath(path, name),
          there.map((entry) => (entry?.kind === 'tree' ? entry.id : undefined)),
        );
    }
  };
  const [x, y] = sides;
  if (base !== x || base !== y) visit(ROOT, [base, x, y]);
  return { base: lists[0], sides: [lists[1], lists[2]] };
}

function isSame(a: TreeEntry | undefined, b: TreeEntry | undefined): boolean {
  return a?.id === b?.id && a?.kind === b?.kind;
}

/** Answers from the trees; folders that are asked about are read once. */
export function treeFacts(
  reader: Pick<ObjectReader, 'readTree'>,
  { base, sides }: MergeTrees,
  read: (blob: GitId) => Rec,
): Required<Omit<MergeFacts, 'version'>> {
  const rootOf = (tree: WhichTree): GitId | undefined => (tree === 'base' ? base : sides[tree]);
  const lookups = new Map<WhichTree, TreeLookup>();
  const lookup = (tree: WhichTree): TreeLookup => {
    const known = lookups.get(tree) ?? new TreeLookup(reader, rootOf(tree));
    lookups.set(tree, known);
    return known;
  };
  return {
    kindAt: (tree, path) => {
      const entry = lookup(tree).at(path);
      return entry === undefined ? undefined : entry.kind === 'tree' ? 'folder' : 'file';
    },
    entryAt: (tree, path) => {
      const entry = lookup(tree).at(path);
      const found = entry?.kind === 'tree' ? lookup(tree).at(joinPath(path, DIRECTORY_RECORD)) : entry;
      return found?.kind === 'blob' ? { path, record: read(found.id), blob: found.id } : undefined;
    },
    *below(tree, folder) {
      const root = rootOf(tree);
      const found = root === undefined ? undefined : findInTree(reader, root, folder);
      if (found?.kind !== 'tree') return;
      for (const { path, id } of walkTree(reader, found.id, folder))
        yield { path: recordPath(path), record: read(id), blob: id };
    },
  };
}

/** Looks up entries by their paths. */
export class TreeLookup {
  readonly #reader: Pick<ObjectReader, 'readTree'>;
  readonly #root: GitId | undefined;
  readonly #folders = new Map<RepoPath, ReadonlyMap<EncodedName, TreeEntry>>();

  constructor(reader: Pick<ObjectReader, 'readTree'>, root: GitId | undefined) {
    this.#reader = reader;
    this.#root = root;
  }

  at(path: RepoPath): Pick<TreeEntry, 'kind' | 'id'> | undefined {
    if (path === ROOT) return this.#root === undefined ? undefined : { kind: 'tree', id: this.#root };
    return this.#entries(parentOf(path)).get(nameOf(path));
  }

  #entries(folder: RepoPath): ReadonlyMap<EncodedName, TreeEntry> {
    let entries = this.#folders.get(folder);
    if (entries === undefined) {
      const found = this.at(folder);
      const list = found?.kind === 'tree' ? this.#reader.readTree(found.id) : [];
      entries = new Map(list.map((entry) => [entry.name, entry]));
      this.#folders.set(folder, entries);
    }
    return entries;
  }
}
