import {
  compareNames,
  formatRecord,
  type GitId,
  type Merged,
  type MergedEntry,
  type MergeEntry,
  type MergeInput,
  type RepoPath,
} from '@bk/core';
import type { CommitFields, ObjectReader, ObjectSink } from '@bk/store';
import { TreeEdits, writeTrees } from '../history/trees.ts';

/**
 * Writes the merged tree: as edits of the side that is nearer to it, so that folders that did not change are shared, and
 * records that a side has are named and not written again.
 */
export function writeMerged(
  { entries }: Merged,
  input: MergeInput,
  { reader, writer, sides, treeOf = () => undefined }: Written,
): GitId {
  const known = new Set(input.sides.flatMap((side) => side.map(({ blob }) => blob)));
  const blobs = new Map<RepoPath, Placed>();
  for (const { path, record, blob } of entries) {
    const isFolder = record.type === 'dir';
    const there = blob !== undefined && known.has(blob) ? blob : undefined;
    blobs.set(path, { record, isFolder, blob: there });
  }
  const [a, b] = input.sides.map((side) => new Difference(side, blobs));
  const nearer = a!.count <= b!.count ? 0 : 1;
  const edits = (nearer === 0 ? a! : b!).edits((record) => writer.addBlob(formatRecord(record)), treeOf);
  const { root } = writeTrees(edits, { reader, writer, root: sides[nearer] });
  return root ?? writer.addTree([]);
}

export interface Written {
  readonly reader: Pick<ObjectReader, 'readTree'>;
  readonly writer: ObjectSink;
  /** Trees of the sides. */
  readonly sides: readonly [GitId, GitId];
  /** The folder that an entry stands for, as a whole. */
  readonly treeOf?: (entry: Pick<MergedEntry, 'record'>) => GitId | undefined;
}

interface Placed {
  readonly record: MergedEntry['record'];
  readonly isFolder: boolean;
  /** Undefined: no side has this record. */
  readonly blob: GitId | undefined;
}

/** What has to be done to one side's entries. */
class Difference {
  readonly #gone: MergeEntry[] = [];
  readonly #come: (readonly [RepoPath, Placed])[] = [];

  constructor(side: readonly MergeEntry[], merged: ReadonlyMap<RepoPath, Placed>) {
    const same = new Set<RepoPath>();
    for (const entry of side) {
      const now = merged.get(entry.path);
      if (now !== undefined && now.isFolder === (entry.record.type === 'dir')) {
        if (now.blob === entry.blob) same.add(entry.path);
      } else this.#gone.push(entry);
    }
    for (const [path, placed] of merged) if (!same.has(path)) this.#come.push([path, placed]);
  }

  get count(): number {
    return this.#gone.length + this.#come.length;
  }

  edits(add: (record: MergedEntry['record']) => GitId, treeOf: NonNullable<Written['treeOf']>): TreeEdits {
    const edits = new TreeEdits();
    for (const { path, record } of this.#gone) {
      if (record.type === 'dir') edits.setFolder(path, null);
      else if (treeOf({ record }) !== undefined) edits.setTree(path, null);
      else edits.set(path, null);
    }
    for (const [path, { record, isFolder, blob }] of this.#come) {
      const tree = treeOf({ record });
      if (tree !== undefined) edits.setTree(path, tree);
      else if (isFolder) edits.setFolder(path, blob ?? add(record));
      else edits.set(path, blob ?? add(record));
    }
    return edits;
  }
}

/** Whoever merges: it is the same merge. */
const MERGER = { name: 'bk merge', email: 'merge@bk.invalid', offsetMinutes: 0 } as const;

/** The commit that joins two (SPEC 6): a function of the two and the tree, the same on every machine, bit for bit. */
export function mergeCommit(
  reader: Pick<ObjectReader, 'readCommit'>,
  joined: readonly [GitId, GitId],
  tree: GitId,
): CommitFields {
  const parents = [...joined].sort(compareNames);
  const times = parents.map((parent) => reader.readCommit(parent).committer.timeSec);
  const signature = { ...MERGER, timeSec: Math.max(...times) + 1 };
  return { tree, parents, author: signature, committer: signature, message: 'Merge\n' };
}
