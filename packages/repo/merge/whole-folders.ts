import {
  type ContentHash,
  type GitId,
  type Merged,
  type MergedEntry,
  type MergeEntry,
  type ObjectId,
  parentOf,
  type Rec,
  type RepoPath,
  ROOT,
  type SideNumber,
  type WhichTree,
} from '@bk/core';
import { movedFolders, type ObjectReader } from '@bk/store';
import { type MergeTrees, TreeLookup } from './trees.ts';

/**
 * Folders that one side moved as a whole and the other left as they were. The merge sees each as one file that was moved,
 * and what is in it is not read: so a move of very many files costs what moving one does. That is no other merge as long
 * as such a file has no part in a conflict and nothing depends on what is in the folder: it is no evidence of where the
 * folder around it went, and nothing comes to it or into it. Where that is not sure, the folder is no such one.
 */
export class WholeFolders {
  readonly #at = new Map<WhichTree, Map<RepoPath, MergeEntry>>();
  readonly #trees = new Map<ObjectId, GitId>();

  static readonly none = new WholeFolders();

  static find(reader: Pick<ObjectReader, 'readTree'>, trees: MergeTrees): WholeFolders {
    const { base, sides } = trees;
    if (base === undefined) return WholeFolders.none;
    const found = new WholeFolders();
    const lookups = {
      base: new TreeLookup(reader, base),
      sides: sides.map((side) => new TreeLookup(reader, side)),
    };
    for (const mover of [0, 1] as const) {
      const still: SideNumber = mover === 0 ? 1 : 0;
      for (const moved of movedFolders(reader, base, sides[mover])) {
        const given = { base: lookups.base, still: lookups.sides[still]!, mover: lookups.sides[mover]! };
        if (!isWhole(reader, moved, given)) continue;
        const { id, from, to } = moved;
        found.#add(id, [['base', from], [still, from], [mover, to]]); // biome-ignore format: short
      }
    }
    return found;
  }

  get isEmpty(): boolean {
    return this.#trees.size === 0;
  }

  #add(tree: GitId, places: readonly (readonly [WhichTree, RepoPath])[]): void {
    const record = standIn(tree);
    this.#trees.set(record.id, tree);
    for (const [which, path] of places) {
      const known = this.#at.get(which) ?? new Map<RepoPath, MergeEntry>();
      this.#at.set(which, known.set(path, { path, record, blob: tree }));
    }
  }

  /** What stands for the folder at exactly this path. */
  at(which: WhichTree, path: RepoPath): MergeEntry | undefined {
    return this.#at.get(which)?.get(path);
  }

  /** Whether a path is in one of them: as the merge sees it, there is nothing. */
  contains(which: WhichTree, path: RepoPath): boolean {
    const folders = this.#at.get(which);
    if (folders === undefined) return false;
    for (let at = parentOf(path); at !== ROOT; at = parentOf(at)) if (folders.has(at)) return true;
    return false;
  }

  /** The folder that an entry stands for. */
  treeOf({ record }: Pick<MergedEntry, 'record'>): GitId | undefined {
    return this.#trees.get(record.id);
  }

  /** Whether each of them came out of the merge just as it went in. */
  areIntact({ entries, conflicts }: Merged): boolean {
    const seen = new Set<RepoPath>();
    for (const { path, record, blob } of entries) {
      const tree = this.#trees.get(record.id);
      if (tree !== undefined && (blob !== tree || record.conflict !== undefined)) return false;
      if (tree !== undefined) seen.add(path);
    }
    if (seen.size !== this.#trees.size) return false;
    return conflicts.every(({ path, kept }) => !seen.has(path) && !kept.some((one) => seen.has(one)));
  }
}

interface Given {
  readonly base: TreeLookup;
  readonly still: TreeLookup;
  readonly mover: TreeLookup;
}

function isWhole(
  reader: Pick<ObjectReader, 'readTree'>,
  { id, from, to }: { readonly id: GitId; readonly from: RepoPath; readonly to: RepoPath },
  { base, still, mover }: Given,
): boolean {
  if (still.at(from)?.id !== id || mover.at(from) !== undefined) return false;
  if (base.at(to) !== undefined || still.at(to) !== undefined) return false;
  for (let above = parentOf(to); above !== ROOT; above = parentOf(above))
    if (base.at(above)?.kind === 'blob' || still.at(above)?.kind === 'blob') return false;
  // Where a folder around it went matters only to what the other side did there.
  for (let around = parentOf(from); around !== ROOT; around = parentOf(around)) {
    const before = base.at(around)!.id;
    if (stays(reader, before, mover.at(around))) return true;
    if (still.at(around)?.id !== before) return false;
  }
  return true;
}

/** Something in the folder is where it was, so that nobody can take it for moved; the root never moves. */
function stays(
  reader: Pick<ObjectReader, 'readTree'>,
  before: GitId,
  now: { readonly kind: string; readonly id: GitId } | undefined,
): boolean {
  if (now?.kind !== 'tree') return false;
  const old = new Map(reader.readTree(before).map(({ name, id }) => [name, id]));
  return reader.readTree(now.id).some(({ name, id }) => old.get(name) === id);
}

/** A file like no other, that is always the same for a tree. */
function standIn(tree: GitId): Rec {
  const id = `${tree.slice(0, 8)}-${tree.slice(8, 12)}-8${tree.slice(12, 15)}-8${tree.slice(15, 18)}-${tree.slice(18, 30)}`;
  return {
    v: 1,
    id: id as ObjectId,
    type: 'file',
    blake3: tree.padEnd(64, '0') as ContentHash,
    size: 1,
    mtime: '1970-01-01T00:00:00.000000000Z',
    mode: '0644',
  };
}
