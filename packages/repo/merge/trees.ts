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
import type { ObjectReader, TreeEntry } from '@bk/store';
import { recordPath } from '../history/differences.ts';

/** The trees of a merge; of a base undefined: the histories have nothing in common. */
export interface MergeTrees {
  readonly base: GitId | undefined;
  readonly sides: readonly [GitId, GitId];
}

/** What is seen of folders that are not gone through. */
export interface Wholes {
  readonly at: (which: WhichTree, path: RepoPath) => MergeEntry | undefined;
  readonly contains: (which: WhichTree, path: RepoPath) => boolean;
}

const NO_WHOLES: Wholes = { at: () => undefined, contains: () => false };
const TREES: readonly WhichTree[] = ['base', 0, 1];

/**
 * What differs between three trees, as the merge wants it. Where all three have the same folder it is not read, so the
 * cost follows what was changed on either side.
 * @param read a record of a blob, each read once
 */
export function mergeInput(
  reader: Pick<ObjectReader, 'readTree'>,
  { base, sides }: MergeTrees,
  read: (blob: GitId) => Rec,
  wholes = NO_WHOLES,
): MergeInput {
  const lists: [MergeEntry[], MergeEntry[], MergeEntry[]] = [[], [], []];
  const visit = (path: RepoPath, trees: readonly (GitId | undefined)[]): void => {
    for (const [name, there] of namesIn(reader, trees)) {
      const [b, x, y] = there;
      if (isSame(b, x) && isSame(b, y)) continue;
      const at = joinPath(path, name);
      const below = there.map((entry, which) => {
        if (entry?.kind !== 'tree') {
          if (entry !== undefined)
            lists[which]!.push({
              path: name === DIRECTORY_RECORD ? path : at,
              record: read(entry.id),
              blob: entry.id,
            });
          return undefined;
        }
        const whole = wholes.at(TREES[which]!, at);
        if (whole !== undefined) lists[which]!.push(whole);
        return whole === undefined ? entry.id : undefined;
      });
      if (below.some((id) => id !== undefined)) visit(at, below);
    }
  };
  const [x, y] = sides;
  if (base !== x || base !== y) visit(ROOT, [base, x, y]);
  return { base: lists[0], sides: [lists[1], lists[2]] };
}

function namesIn(
  reader: Pick<ObjectReader, 'readTree'>,
  trees: readonly (GitId | undefined)[],
): Map<EncodedName, (TreeEntry | undefined)[]> {
  const names = new Map<EncodedName, (TreeEntry | undefined)[]>();
  trees.forEach((tree, which) => {
    for (const entry of tree === undefined ? [] : reader.readTree(tree)) {
      const there = names.get(entry.name) ?? [undefined, undefined, undefined];
      there[which] = entry;
      names.set(entry.name, there);
    }
  });
  return names;
}

function isSame(a: TreeEntry | undefined, b: TreeEntry | undefined): boolean {
  return a?.id === b?.id && a?.kind === b?.kind;
}

/** Answers from the trees; folders that are asked about are read once. */
export function treeFacts(
  reader: Pick<ObjectReader, 'readTree'>,
  { base, sides }: MergeTrees,
  read: (blob: GitId) => Rec,
  wholes = NO_WHOLES,
): Required<Omit<MergeFacts, 'version'>> {
  const rootOf = (tree: WhichTree): GitId | undefined => (tree === 'base' ? base : sides[tree]);
  const lookups = new Map<WhichTree, TreeLookup>();
  const lookup = (tree: WhichTree): TreeLookup => {
    const known = lookups.get(tree) ?? new TreeLookup(reader, rootOf(tree));
    lookups.set(tree, known);
    return known;
  };
  const entryOf = (path: RepoPath, blob: GitId): MergeEntry => ({ path, record: read(blob), blob });
  function* walk(tree: WhichTree, folder: RepoPath, id: GitId): Generator<MergeEntry> {
    for (const entry of reader.readTree(id)) {
      const path = joinPath(folder, entry.name);
      if (entry.kind === 'blob') yield entryOf(recordPath(path), entry.id);
      else {
        const whole = wholes.at(tree, path);
        if (whole !== undefined) yield whole;
        else yield* walk(tree, path, entry.id);
      }
    }
  }
  return {
    kindAt: (tree, path) => {
      if (wholes.at(tree, path) !== undefined) return 'file';
      const entry = wholes.contains(tree, path) ? undefined : lookup(tree).at(path);
      return entry === undefined ? undefined : entry.kind === 'tree' ? 'folder' : 'file';
    },
    entryAt: (tree, path) => {
      const whole = wholes.at(tree, path);
      if (whole !== undefined || wholes.contains(tree, path)) return whole;
      const entry = lookup(tree).at(path);
      const found = entry?.kind === 'tree' ? lookup(tree).at(joinPath(path, DIRECTORY_RECORD)) : entry;
      return found?.kind === 'blob' ? entryOf(path, found.id) : undefined;
    },
    *below(tree, folder) {
      const found = lookup(tree).at(folder);
      if (found?.kind !== 'tree' || wholes.at(tree, folder) !== undefined) return;
      if (!wholes.contains(tree, folder)) yield* walk(tree, folder, found.id);
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
