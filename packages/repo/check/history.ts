import {
  BkError,
  type ContentHash,
  DIRECTORY_RECORD,
  encodedName,
  type GitId,
  joinPath,
  nameOf,
  type ObjectId,
  parseRecord,
  parseRepositoryFacts,
  type Rec,
  type RepoPath,
  ROOT,
  repositoryOfRef,
} from '@bk/core';
import type { CommitObject, HistoryReader, TreeEntry } from '@bk/store';
import type { Problems } from './problems.ts';

/** What the history says, as far as it can be read. */
export interface HistoryFacts {
  /** Trees of the head's folders; empty if there is no head. */
  readonly folders: ReadonlyMap<RepoPath, GitId>;
  /** Every content that any record names. */
  readonly contents: ReadonlySet<ContentHash>;
}

const PRESENCE = 'refs/bk/repositories/';

/**
 * Reads everything that can be reached from the refs (the reader compares each object with its name): commits, trees
 * with canonical names, canonical records of the right type; in the head's tree each object id once.
 * Cost: every object once. Memory: the ids of trees, records and contents.
 */
export class HistoryCheck {
  readonly #history: HistoryReader;
  readonly #problems: Problems;
  readonly #onRecord: () => void;
  readonly #commits = new Set<GitId>();
  readonly #trees = new Set<GitId>();
  readonly #records = new Map<GitId, ObjectId | null>();
  /** Records among them that are of directories. */
  readonly #directories = new Set<GitId>();
  readonly #contents = new Set<ContentHash>();
  readonly #folders = new Map<RepoPath, GitId>();

  constructor(history: HistoryReader, problems: Problems, onRecord: () => void = () => {}) {
    this.#history = history;
    this.#problems = problems;
    this.#onRecord = onRecord;
  }

  /** @param refs every ref; `main` is one of them */
  run(refs: readonly (readonly [string, GitId])[], main: GitId | undefined): HistoryFacts {
    if (main !== undefined) this.#head(main);
    for (const [name, id] of refs) {
      if (name.startsWith(PRESENCE)) this.#presence(name, id);
      else if (name.startsWith('refs/heads/') || name.startsWith('refs/remotes/'))
        this.#line(name, id, (commit) => this.#tree(ROOT, commit.tree));
    }
    return { folders: this.#folders, contents: this.#contents };
  }

  /** Commits reachable from a ref that were not seen yet. */
  #line(ref: string, start: GitId, visit: (commit: CommitObject) => void): void {
    const waiting = [start];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if (this.#commits.has(id)) continue;
      this.#commits.add(id);
      const commitId = id;
      const commit = this.#problems.guard('history', `${ref} ${commitId}`, () =>
        this.#history.readCommit(commitId),
      );
      if (commit === undefined) continue;
      visit(commit);
      waiting.push(...commit.parents);
    }
  }

  /** All of a tree that was not seen yet. */
  #tree(path: RepoPath, id: GitId): void {
    const waiting = [{ path, id }];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      if (this.#trees.has(at.id)) continue;
      this.#trees.add(at.id);
      for (const entry of this.#entries(at.path, at.id)) {
        const below = joinPath(at.path, entry.name);
        if (entry.kind === 'tree') waiting.push({ path: below, id: entry.id });
        else this.#record(below, entry.id);
      }
    }
  }

  /** The head's tree, folder by folder even where two are equal: an object has one place. */
  #head(main: GitId): void {
    const commit = this.#problems.guard('history', `refs/heads/main ${main}`, () =>
      this.#history.readCommit(main),
    );
    if (commit === undefined) return;
    const places = new Map<ObjectId, RepoPath>();
    const waiting: { path: RepoPath; id: GitId }[] = [{ path: ROOT, id: commit.tree }];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      this.#folders.set(at.path, at.id);
      this.#trees.add(at.id);
      for (const entry of this.#entries(at.path, at.id)) {
        const below = joinPath(at.path, entry.name);
        if (entry.kind === 'tree') waiting.push({ path: below, id: entry.id });
        else this.#once(places, below, this.#record(below, entry.id));
      }
    }
  }

  #once(places: Map<ObjectId, RepoPath>, path: RepoPath, id: ObjectId | null): void {
    if (id === null) return;
    const other = places.get(id);
    if (other === undefined) places.set(id, path);
    else this.#problems.add('identity', path, `it has the object id of ${other}, ${id}`);
  }

  #entries(path: RepoPath, id: GitId): readonly TreeEntry[] {
    const entries = this.#problems.guard('history', path, () => this.#history.readTree(id)) ?? [];
    const names = new Set<string>();
    return entries.filter(({ name, kind }) => {
      if (names.has(name))
        this.#problems.add('history', joinPath(path, name), 'its folder has the name twice');
      names.add(name);
      if (name === DIRECTORY_RECORD && kind === 'blob') return true;
      return this.#problems.guard('history', path, () => encodedName(name)) !== undefined;
    });
  }

  /** @returns the object id; null if the record is no good */
  #record(path: RepoPath, blob: GitId): ObjectId | null {
    let id = this.#records.get(blob);
    if (id === undefined) {
      const record = this.#problems.guard('record', path, () => this.#readRecord(blob));
      id = record?.id ?? null;
      this.#records.set(blob, id);
      if (record?.type === 'dir') this.#directories.add(blob);
      if (record?.blake3 !== undefined) this.#contents.add(record.blake3);
      this.#onRecord();
    }
    if (id !== null && (nameOf(path) === DIRECTORY_RECORD) !== this.#directories.has(blob)) {
      this.#problems.add('record', path, 'its record is of another type than its place');
    }
    return id;
  }

  #readRecord(blob: GitId): Rec {
    return parseRecord(exactText(this.#history.readBlob(blob)));
  }

  /** A chain of commits of one repository: `repository.json` and, below `present`, records. */
  #presence(ref: string, start: GitId): void {
    this.#line(ref, start, (commit) => {
      if (commit.parents.length > 1)
        this.#problems.add('presence', ref, `commit ${commit.id} has more than one parent`);
      const entries = this.#problems.guard('history', ref, () => this.#history.readTree(commit.tree)) ?? [];
      const about = entries.find(({ name, kind }) => name === 'repository.json' && kind === 'blob');
      if (about === undefined)
        this.#problems.add('presence', ref, `commit ${commit.id} has no repository.json`);
      else this.#problems.guard('presence', ref, () => this.#about(ref, about.id));
      for (const { name, kind, id } of entries) {
        if (name === 'present' && kind === 'tree') this.#tree(ROOT, id);
        else if (name !== 'repository.json')
          this.#problems.add('presence', ref, `an entry that does not belong there: ${name}`);
      }
    });
  }

  #about(ref: string, blob: GitId): void {
    const id = repositoryOfRef(ref);
    if (id === undefined) throw new BkError('damaged', 'its ref is not named by the id of a repository');
    parseRepositoryFacts(exactText(this.#history.readBlob(blob)), id);
  }
}

/** Decodes UTF-8 strictly. */
function exactText(bytes: Buffer): string {
  const text = bytes.toString();
  if (text.includes('\ufffd') && !Buffer.from(text).equals(bytes))
    throw new BkError('damaged', 'it is not UTF-8');
  return text;
}
