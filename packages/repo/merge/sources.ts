import {
  type ConflictVersion,
  type ContentHash,
  type GitId,
  nameOf,
  parseCommitMessage,
  type Rec,
  type RepoPath,
  type TreeConflict,
} from '@bk/core';
import { type CommitObject, diffTrees, type HistoryReader } from '@bk/store';
import { ancestry } from '../history/ancestry.ts';
import { recordReader } from '../history/differences.ts';

/** Where a version comes from. */
export interface VersionSource {
  /** Name of the repository that committed it. */
  readonly repository: string;
  /** Committer time, s since 1970. */
  readonly timeSec: number;
}

/**
 * Who made the versions of conflicts: the newest commit that brought the content (or gave it the name, where names are in
 * conflict). The history is read, newest first, only as far as something is still looked for.
 */
export function versionSources(
  history: HistoryReader,
  head: GitId,
  conflicts: readonly TreeConflict[],
): (conflict: TreeConflict, version: ConflictVersion) => VersionSource | undefined {
  const search = new Search(history, conflicts);
  search.run(head);
  return (conflict, version) => search.sourceOf(conflict, version);
}

class Search {
  readonly #history: HistoryReader;
  readonly #read: (blob: GitId) => Rec;
  /** By content; undefined: looked for. */
  readonly #contents = new Map<ContentHash, VersionSource | undefined>();
  /** By path and content. */
  readonly #names = new Map<string, VersionSource | undefined>();
  #left = 0;

  constructor(history: HistoryReader, conflicts: readonly TreeConflict[]) {
    this.#history = history;
    this.#read = recordReader(history);
    for (const { kind, versions } of conflicts)
      for (const { path, blake3 } of versions) {
        if (blake3 === undefined) continue;
        if (kind === 'rename-rename') this.#names.set(nameKey(path, blake3), undefined);
        else this.#contents.set(blake3, undefined);
      }
    this.#left = this.#contents.size + this.#names.size;
  }

  run(head: GitId): void {
    if (this.#left === 0) return;
    const onwards = ({ parents }: CommitObject) => parents.map((parent) => [parent, undefined] as const);
    for (const [commit] of ancestry(this.#history, [head, undefined], onwards)) {
      if (commit.parents.length < 2) this.#look(commit);
      if (this.#left === 0) return;
    }
  }

  sourceOf({ kind }: TreeConflict, { path, blake3 }: ConflictVersion): VersionSource | undefined {
    if (blake3 === undefined) return noted(path);
    const found =
      kind === 'rename-rename' ? this.#names.get(nameKey(path, blake3)) : this.#contents.get(blake3);
    return found ?? noted(path);
  }

  #look(commit: CommitObject): void {
    const { tree, parents, message, author, committer } = commit;
    const before = parents[0] === undefined ? undefined : this.#history.readCommit(parents[0]).tree;
    const { repository } = parseCommitMessage(message);
    const source = { repository: repository?.name ?? author.name, timeSec: committer.timeSec };
    const old = new Set<ContentHash | undefined>();
    const came: { path: RepoPath; blake3: ContentHash }[] = [];
    for (const change of diffTrees(this.#history, before, tree)) {
      if (change.before !== undefined) old.add(this.#read(change.before).blake3);
      const blake3 = change.after === undefined ? undefined : this.#read(change.after).blake3;
      if (blake3 !== undefined) came.push({ path: change.path, blake3 });
    }
    for (const { path, blake3 } of came) {
      this.#note(this.#names, nameKey(path, blake3), source);
      // What was only moved or touched is of whoever made it.
      if (!old.has(blake3)) this.#note(this.#contents, blake3, source);
    }
  }

  #note<K>(wanted: Map<K, VersionSource | undefined>, key: K, source: VersionSource): void {
    if (!wanted.has(key) || wanted.get(key) !== undefined) return;
    wanted.set(key, source);
    this.#left--;
  }
}

function nameKey(path: RepoPath, blake3: ContentHash): string {
  return `${blake3} ${path}`;
}

/** What a name says that a merge gave; the time is not known. */
function noted(path: RepoPath): VersionSource | undefined {
  const repository = /\(conflict (.+) \d{4}-\d\d-\d\d\)/.exec(nameOf(path))?.[1];
  return repository === undefined ? undefined : { repository, timeSec: Number.NaN };
}
