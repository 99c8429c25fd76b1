import {
  type GitId,
  type Merged,
  type MergedEntry,
  type MergeFacts,
  mergeBases,
  mergeTrees,
  type SideNumber,
} from '@bk/core';
import { type ObjectReader, type ObjectSink, Overlay } from '@bk/store';
import { recordReader } from '../history/differences.ts';
import { graphOf } from '../history/graph.ts';
import { type MergeTrees, mergeInput, treeFacts } from './trees.ts';
import { SideVersions } from './versions.ts';
import { WholeFolders } from './whole-folders.ts';
import { mergeCommit, writeMerged } from './write.ts';

/** What became of two commits. */
export interface Joined {
  readonly commit: GitId;
  /** By id. */
  readonly parents: readonly [GitId, GitId];
  /** The best common ancestors; none: the histories had nothing in common. */
  readonly bases: readonly GitId[];
  readonly conflicts: Merged['conflicts'];
  /** What is new: the commit, its trees and records. Nothing of it is in the history yet. */
  readonly objects: Overlay;
}

/**
 * Merges two commits, in memory. The same whichever of the two comes first.
 * @param objects where new objects go; commits may be among them already
 * @param find says which folders need not be gone through; the result is the same without
 */
export function join(objects: Overlay, one: GitId, other: GitId, find = WholeFolders.find): Joined {
  return { ...new Joining(objects, find).join(sorted(one, other), objects), objects };
}

function sorted(one: GitId, other: GitId): readonly [GitId, GitId] {
  return one < other ? [one, other] : [other, one];
}

/** Virtual bases are kept apart from the result: they never become part of the history. */
class Joining {
  readonly #find: typeof WholeFolders.find;
  readonly #virtual: Overlay;
  readonly #read: ReturnType<typeof recordReader>;

  constructor(objects: Overlay, find: typeof WholeFolders.find) {
    this.#find = find;
    this.#virtual = new Overlay(objects);
    this.#read = recordReader(this.#virtual);
  }

  join(parents: readonly [GitId, GitId], writer: ObjectSink): Omit<Joined, 'objects'> {
    const reader = this.#virtual;
    const bases = this.#bases(parents);
    const base = this.#single(bases);
    const [x, y] = parents.map((id) => reader.readCommit(id).tree) as [GitId, GitId];
    const trees: MergeTrees = {
      base: base === undefined ? undefined : reader.readCommit(base).tree,
      sides: [x, y],
    };
    const wholes = this.#find(reader, trees);
    const { merged, tree } =
      this.#merge(trees, parents, wholes, writer) ?? this.#merge(trees, parents, WholeFolders.none, writer)!;
    const commit = writer.addCommit(mergeCommit(reader, parents, tree));
    return { commit, parents, bases, conflicts: merged.conflicts };
  }

  /** @returns undefined: whole folders are not what they seemed */
  #merge(
    trees: MergeTrees,
    parents: readonly [GitId, GitId],
    wholes: WholeFolders,
    writer: ObjectSink,
  ): { readonly merged: Merged; readonly tree: GitId } | undefined {
    const reader = this.#virtual;
    const input = mergeInput(reader, trees, this.#read, wholes);
    const merged = mergeTrees(input, this.#facts(trees, parents, wholes));
    if (!wholes.areIntact(merged)) return undefined;
    const treeOf = (entry: Pick<MergedEntry, 'record'>) => wholes.treeOf(entry);
    return { merged, tree: writeMerged(merged, input, { reader, writer, sides: trees.sides, treeOf }) };
  }

  #bases([one, other]: readonly [GitId, GitId]): GitId[] {
    return mergeBases(graphOf(this.#virtual), one, other);
  }

  /** Several bases are merged first, recursively: oldest first, ties by id (SPEC 6). */
  #single([first, ...others]: readonly GitId[]): GitId | undefined {
    let base = first;
    for (const next of others) base = this.join(sorted(base!, next), this.#virtual).commit;
    return base;
  }

  #facts(trees: MergeTrees, [one, other]: readonly [GitId, GitId], wholes: WholeFolders): MergeFacts {
    const reader: ObjectReader = this.#virtual;
    const versions = [
      new SideVersions(reader, this.#read, { side: one, other }),
      new SideVersions(reader, this.#read, { side: other, other: one }),
    ] as const;
    return {
      ...treeFacts(reader, trees, this.#read, wholes),
      version: (side: SideNumber, object) => versions[side].of(object),
    };
  }
}
