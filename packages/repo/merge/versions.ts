import {
  type ContentHash,
  commitsAlone,
  type GitId,
  type MergeEntry,
  type ObjectId,
  parseCommitMessage,
  type Rec,
  type RepoPath,
  type Version,
} from '@bk/core';
import { type CommitObject, diffTrees, type ObjectReader } from '@bk/store';
import { graphOf } from '../history/graph.ts';

/**
 * Dates the versions of one side of a merge: by the newest commit of that side alone that changed the object. The side's
 * commits are gone through once, the newest first, and only as far as the questions need. A merge only joins what others
 * did: its objects are dated by the commits that it joins.
 */
export class SideVersions {
  readonly #reader: ObjectReader;
  readonly #read: (blob: GitId) => Rec;
  readonly #heads: { readonly side: GitId; readonly other: GitId };
  readonly #objects = new Map<ObjectId, Version>();
  readonly #contents = new Map<ContentHash, Version>();
  #waiting: GitId[] | undefined;
  #newest: Version | undefined;

  constructor(
    reader: ObjectReader,
    read: (blob: GitId) => Rec,
    heads: { readonly side: GitId; readonly other: GitId },
  ) {
    this.#reader = reader;
    this.#read = read;
    this.#heads = heads;
  }

  of({ record }: MergeEntry): Version {
    for (;;) {
      const known = this.#known(record);
      if (known !== undefined) return known;
      if (!this.#next()) break;
    }
    // Made by a merge itself (a conflict's copy): by what is in it.
    const content = record.blake3 === undefined ? undefined : this.#contents.get(record.blake3);
    return content ?? this.#newest ?? versionOf(this.#reader.readCommit(this.#heads.side));
  }

  #known({ id, was = [] }: Rec): Version | undefined {
    let best = this.#objects.get(id);
    for (const former of was) {
      const version = this.#objects.get(former);
      if (version !== undefined && (best === undefined || isLater(version, best))) best = version;
    }
    return best;
  }

  /** Learns what the next older commit changed. @returns false: there is none */
  #next(): boolean {
    this.#waiting ??= this.#alone();
    const id = this.#waiting.pop();
    if (id === undefined) return false;
    const commit = this.#reader.readCommit(id);
    const { repository } = parseCommitMessage(commit.message);
    if (commit.parents.length > 1 && repository === undefined) return true;
    const version = versionOf(commit);
    this.#newest ??= version;
    for (const blob of changedBy(this.#reader, commit)) {
      const { id: object, blake3 } = this.#read(blob);
      if (!this.#objects.has(object)) this.#objects.set(object, version);
      if (blake3 !== undefined && !this.#contents.has(blake3)) this.#contents.set(blake3, version);
    }
    return true;
  }

  /** Newest last. */
  #alone(): GitId[] {
    const { side, other } = this.#heads;
    return commitsAlone(graphOf(this.#reader), side, other).reverse();
  }
}

/** Records that a commit has where none of its parents has the same. */
function changedBy(reader: ObjectReader, { tree, parents }: CommitObject): Iterable<GitId> {
  const [first, ...others] = parents.map((parent) => reader.readCommit(parent).tree);
  const changed = new Map<RepoPath, GitId>();
  for (const { path, after } of diffTrees(reader, first, tree))
    if (after !== undefined) changed.set(path, after);
  for (const other of others) {
    const paths = new Set([...diffTrees(reader, other, tree)].map(({ path }) => path));
    for (const path of changed.keys()) if (!paths.has(path)) changed.delete(path);
  }
  return changed.values();
}

function versionOf({ id, committer, author, message }: CommitObject): Version {
  const { repository } = parseCommitMessage(message);
  return { timeSec: committer.timeSec, commit: id, repository: repository?.name ?? author.name };
}

function isLater(a: Version, b: Version): boolean {
  return a.timeSec !== b.timeSec ? a.timeSec > b.timeSec : a.commit > b.commit;
}
