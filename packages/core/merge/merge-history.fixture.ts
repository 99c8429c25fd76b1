import { type GitId, gitId } from '../ids.ts';
import { commitsAlone, mergeBases } from './graph.ts';
import type { MergeConflict, MergeEntry, Version } from './input.ts';
import { mergeBoth, type Side, type VersionOf } from './merge.fixture.ts';
import { sha1Hex, type Tree } from './merge-tree.fixture.ts';

export interface MemoryCommit {
  readonly id: GitId;
  /** Sorted. */
  readonly parents: readonly GitId[];
  readonly tree: Tree;
  readonly timeSec: number;
  /** Undefined: a merge, which is nobody's. */
  readonly repository: string | undefined;
}

export interface Joined {
  readonly head: GitId;
  readonly conflicts: readonly MergeConflict[];
}

const EMPTY: Tree = new Map();

/** A graph of commits in memory whose merges are made as SPEC 6 says, each of them from both sides and checked. */
export class MemoryHistory {
  readonly #commits = new Map<GitId, MemoryCommit>();

  read(id: GitId): MemoryCommit {
    const found = this.#commits.get(id);
    if (found === undefined) throw new Error(`no such commit: ${id}`);
    return found;
  }

  commit(repository: string, tree: Tree, parents: readonly GitId[], timeSec: number): GitId {
    return this.#add({ parents, tree, timeSec, repository });
  }

  /** The head of both: one of the two if it has the other, else a merge commit. */
  join(one: GitId, other: GitId): Joined {
    const bases = mergeBases((id) => this.read(id), one, other);
    if (bases.includes(other)) return { head: one, conflicts: [] };
    if (bases.includes(one)) return { head: other, conflicts: [] };
    return this.#merge([one, other], bases);
  }

  #merge(heads: readonly [GitId, GitId], bases: readonly GitId[]): Joined {
    const [one, other] = heads;
    const base = this.#single(bases);
    const sides = [this.#side(one, other), this.#side(other, one)] as const;
    const { tree, conflicts } = mergeBoth(base === undefined ? EMPTY : this.read(base).tree, sides);
    const timeSec = Math.max(this.read(one).timeSec, this.read(other).timeSec) + 1;
    return {
      head: this.#add({ parents: [...heads].sort(), tree, timeSec, repository: undefined }),
      conflicts,
    };
  }

  /** Several bases are merged first, recursively, oldest first. */
  #single([first, ...others]: readonly GitId[]): GitId | undefined {
    let base = first;
    for (const next of others) {
      const heads = [base as GitId, next] as const;
      base = this.#merge(
        heads,
        mergeBases((id) => this.read(id), ...heads),
      ).head;
    }
    return base;
  }

  #side(head: GitId, other: GitId): Side {
    return { tree: this.read(head).tree, version: this.#versions(head, other) };
  }

  /** By the newest commit of that side alone that changed the object; a conflict's copy by what is in it. */
  #versions(head: GitId, other: GitId): VersionOf {
    let objects: Map<string, Version> | undefined;
    return ({ record }: MergeEntry): Version => {
      objects ??= this.#datesOf(head, other);
      const dated = [record.id, ...(record.was ?? [])].flatMap((id) => objects?.get(id) ?? []);
      dated.sort((a, b) => b.timeSec - a.timeSec || (a.commit < b.commit ? 1 : -1));
      const found = dated[0] ?? objects.get(record.blake3 ?? '') ?? objects.get('');
      return found ?? { timeSec: this.read(head).timeSec, commit: head, repository: 'nobody' };
    };
  }

  #datesOf(head: GitId, other: GitId): Map<string, Version> {
    const found = new Map<string, Version>();
    const alone = commitsAlone((id) => this.read(id), head, other).map((id) => this.read(id));
    for (const { id, tree, parents, timeSec, repository } of alone) {
      if (repository === undefined) continue;
      const version = { timeSec, commit: id, repository };
      const before = parents[0] === undefined ? EMPTY : this.read(parents[0]).tree;
      if (!found.has('')) found.set('', version);
      for (const { path, blob, record } of tree.values()) {
        if (before.get(path)?.blob === blob) continue;
        if (!found.has(record.id)) found.set(record.id, version);
        if (record.blake3 !== undefined && !found.has(record.blake3)) found.set(record.blake3, version);
      }
    }
    return found;
  }

  #add(commit: Omit<MemoryCommit, 'id'>): GitId {
    const { tree, parents, timeSec, repository } = commit;
    const entries = [...tree.values()].map(({ path, blob }) => `${path} ${blob}`).sort();
    const bytes = encodeURI(JSON.stringify([entries, parents, timeSec, repository ?? null]));
    const id = gitId(sha1Hex(bytes));
    this.#commits.set(id, { ...commit, id });
    return id;
  }
}
