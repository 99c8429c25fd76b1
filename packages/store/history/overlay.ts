import type { GitId } from '@bk/core';
import { type CommitFields, type CommitObject, formatCommit } from './commit-object.ts';
import { objectName } from './object-name.ts';
import type { PackWriter } from './pack-writer.ts';
import type { HistoryReader, ObjectReader } from './reader.ts';
import { sortTreeEntries, type TreeEntry, treeBound, writeTree } from './tree-object.ts';

/** Takes new objects and says their names. */
export type ObjectSink = Pick<PackWriter, 'addBlob' | 'addTree' | 'addCommit'>;

/** What new objects lie over: a history, or others that are to become part of it. */
export type Ground = ObjectReader & Pick<HistoryReader, 'hasPacked'>;

/**
 * New objects over a history, in memory: they can be read at once, and become part of the history only by `writeTo`.
 * What the history's packs have already is not held.
 */
export class Overlay implements Ground, ObjectSink {
  readonly #below: Ground;
  readonly #blobs = new Map<GitId, string>();
  readonly #trees = new Map<GitId, readonly TreeEntry[]>();
  readonly #commits = new Map<GitId, CommitObject>();

  constructor(below: Ground) {
    this.#below = below;
  }

  /** Objects that are not in the history. */
  get count(): number {
    return this.#blobs.size + this.#trees.size + this.#commits.size;
  }

  hasPacked(id: GitId): boolean {
    return this.#blobs.has(id) || this.#trees.has(id) || this.#commits.has(id) || this.#below.hasPacked(id);
  }

  addBlob(content: string): GitId {
    const id = objectName('blob', Buffer.from(content));
    if (!this.#below.hasPacked(id)) this.#blobs.set(id, content);
    return id;
  }

  /** Entries in any order. @throws BkError 'bug' for a name twice or one that is none */
  addTree(entries: readonly TreeEntry[]): GitId {
    const sorted = sortTreeEntries(entries);
    const body = Buffer.allocUnsafe(treeBound(sorted));
    const id = objectName('tree', body.subarray(0, writeTree(sorted, body, 0)));
    if (!this.#below.hasPacked(id)) this.#trees.set(id, sorted);
    return id;
  }

  addCommit(fields: CommitFields): GitId {
    const id = objectName('commit', Buffer.from(formatCommit(fields)));
    if (!this.#below.hasPacked(id)) this.#commits.set(id, { ...fields, id });
    return id;
  }

  readBlobText(id: GitId): string {
    return this.#blobs.get(id) ?? this.#below.readBlobText(id);
  }

  readTree(id: GitId): readonly TreeEntry[] {
    return this.#trees.get(id) ?? this.#below.readTree(id);
  }

  readCommit(id: GitId): CommitObject {
    return this.#commits.get(id) ?? this.#below.readCommit(id);
  }

  /** Adds all that the history lacks to a pack. */
  writeTo(pack: ObjectSink): void {
    for (const text of this.#blobs.values()) pack.addBlob(text);
    for (const entries of this.#trees.values()) pack.addTree(entries);
    for (const commit of this.#commits.values()) pack.addCommit(commit);
  }
}
