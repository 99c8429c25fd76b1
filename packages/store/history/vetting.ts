import { isUtf8 } from 'node:buffer';
import {
  BkError,
  DIRECTORY_RECORD,
  type EncodedName,
  encodedName,
  type GitId,
  PRESENT_TREE,
  parseRecord,
  parseRepositoryFacts,
  REPOSITORY_FILE,
} from '@bk/core';
import { type CommitObject, formatCommit, parseCommit } from './commit-object.ts';
import type { PackLimits, PackRows, ScannedObject } from './pack-scan.ts';
import type { HistoryReader } from './reader.ts';
import { parseTree, type TreeEntry } from './tree-object.ts';
import { TreeWeights } from './tree-weights.ts';

/** What an object was found to be while the pack was read. `other`: a blob that is no record. */
export const FACT = { commit: 1, tree: 2, content: 3, folder: 4, other: 5 } as const;

export const PRESENCE_REFS = 'refs/bk/repositories/';

/** A ref that is to name this commit; its name says what the commit must be like. */
export interface Tip {
  readonly name: string;
  readonly id: GitId;
}

/** Checks one object on its own, as far as that can be said without knowing where it stands. @throws BkError 'damaged' */
export function inspectObject({ kind, id, data }: ScannedObject): number {
  if (kind === 'blob') return blobFact(data);
  try {
    if (kind === 'tree') checkTree(parseTree(data));
    else checkCommit(parseCommit(data.toString(), id), data);
  } catch (error) {
    throw about(kind, id, error);
  }
  return kind === 'tree' ? FACT.tree : FACT.commit;
}

function blobFact(data: Buffer): number {
  if (!isUtf8(data)) return FACT.other;
  try {
    return parseRecord(data.toString()).type === 'dir' ? FACT.folder : FACT.content;
  } catch (error) {
    if (error instanceof BkError && error.code === 'damaged') return FACT.other;
    throw error;
  }
}

function checkTree(entries: readonly TreeEntry[]): void {
  const names = new Set<string>();
  for (const { name, kind } of entries) {
    if (names.has(name))
      throw new BkError('damaged', `it has the name ${JSON.stringify(name)} twice, as file and as folder`);
    names.add(name);
    if (name !== DIRECTORY_RECORD || kind !== 'blob') encodedName(name);
  }
}

/** Only what bk itself would write: then git's fsck has nothing to say of it either. */
function checkCommit(commit: CommitObject, data: Buffer): void {
  if (!isUtf8(data) || formatCommit(commit) !== data.toString())
    throw new BkError('damaged', 'it is not spelled as bk writes commits');
  if (new Set(commit.parents).size !== commit.parents.length)
    throw new BkError('damaged', 'it has one parent twice');
}

type Role = 'history' | 'presence';

/** Both sides of the border: objects of the pack, and those that were here before. */
export interface Vetted {
  readonly rows: PackRows;
  /** Reads the pack that waits outside. */
  readonly outside: HistoryReader;
  /** Reads the history as it is. */
  readonly inside: HistoryReader;
  readonly limits: PackLimits;
}

/** Bits of what an object was reached as. */
const REACHED = { history: 1, presence: 2, tree: 4, root: 8, blob: 16 } as const;

/**
 * Follows the tips through everything that is new: commits to their parents and trees, trees to their entries, until
 * what is here already. Each object must be what its place says, nothing may be missing, and nothing may be left over.
 * Cost: the new objects, and of the old ones those that new trees name.
 * @throws BkError 'damaged'
 */
export function vet(tips: readonly Tip[], vetted: Vetted): void {
  new Vetting(vetted).run(tips);
}

class Vetting {
  readonly #rows: PackRows;
  readonly #outside: HistoryReader;
  readonly #inside: HistoryReader;
  readonly #limits: PackLimits;
  readonly #reached: Uint8Array;
  /** Old objects that were looked at, by what they were looked at as. */
  readonly #known = new Map<GitId, 'tree' | 'content' | 'folder'>();
  readonly #weights: TreeWeights;

  constructor({ rows, outside, inside, limits }: Vetted) {
    this.#rows = rows;
    this.#outside = outside;
    this.#inside = inside;
    this.#limits = limits;
    this.#reached = new Uint8Array(rows.count);
    this.#weights = new TreeWeights({ rows, outside, inside, limits });
  }

  run(tips: readonly Tip[]): void {
    for (const { name, id } of tips) {
      if (name.startsWith(PRESENCE_REFS)) this.#line(id, 'presence', name.slice(PRESENCE_REFS.length));
      else this.#line(id, 'history');
    }
    const left = this.#reached.indexOf(0);
    if (left >= 0) throw new BkError('damaged', 'it has objects that nothing in it refers to');
  }

  #line(tip: GitId, role: Role, repository?: string): void {
    const waiting = [tip];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      const row = this.#rows.find(id);
      if (row < 0) this.#oldCommit(id, role);
      else if (this.#mark(row, FACT.commit, role, id)) {
        const commit = this.#outside.readCommit(id);
        if (commit.parents.length > (role === 'presence' ? 1 : this.#limits.parents))
          throw about('commit', id, `it has ${commit.parents.length} parents`);
        if (role === 'history') this.#tree(commit.tree, id);
        else this.#presenceRoot(commit.tree, repository ?? '', id);
        waiting.push(...commit.parents);
      }
    }
  }

  /** It is here with all that it needs: every pack came in whole. */
  #oldCommit(id: GitId, role: Role): void {
    if (!this.#inside.has(id)) throw about('commit', id, 'it was not sent, and is not here');
    const { tree } = this.#inside.readCommit(id);
    const isPresence = this.#isPresenceRoot(this.#inside.readTree(tree));
    if (isPresence !== (role === 'presence')) throw about('commit', id, `it does not belong to a ${role}`);
  }

  #isPresenceRoot(entries: readonly TreeEntry[]): boolean {
    const entry = entries.find(({ name }) => name === REPOSITORY_FILE);
    if (entry?.kind !== 'blob' || entries.length > 2) return false;
    return blobFact(this.#inside.readBlob(entry.id)) === FACT.other;
  }

  /** `repository.json` and, if anything is there, `present`: a tree of records. */
  #presenceRoot(tree: GitId, repository: string, commit: GitId): void {
    const row = this.#rows.find(tree);
    if (row >= 0 && !this.#mark(row, FACT.tree, 'root', tree)) return;
    const entries = (row >= 0 ? this.#outside : this.#inside).readTree(tree);
    let about_ = false;
    for (const { name, kind, id } of entries) {
      if (name === REPOSITORY_FILE && kind === 'blob') about_ = true;
      else if (name !== PRESENT_TREE || kind !== 'tree')
        throw about('tree', tree, `${JSON.stringify(name)} does not belong into a presence`);
      if (kind === 'blob') this.#about(id, repository);
      else this.#tree(id, commit);
    }
    if (!about_) throw about('tree', tree, 'a presence without repository.json');
  }

  #about(id: GitId, repository: string): void {
    const row = this.#rows.find(id);
    if (row >= 0) this.#reached[row]! |= REACHED.blob;
    try {
      const data = (row >= 0 ? this.#outside : this.#inside).readBlob(id);
      if (!isUtf8(data)) throw new BkError('damaged', 'it is not UTF-8');
      parseRepositoryFacts(data.toString(), repository);
    } catch (error) {
      throw about('repository.json', id, error);
    }
  }

  /** A tree of records and all that is new below it. */
  #tree(root: GitId, commit: GitId): void {
    const waiting = [root];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      const row = this.#rows.find(id);
      if (row < 0) this.#oldTree(id);
      else if (this.#mark(row, FACT.tree, 'tree', id)) {
        const entries = this.#outside.readTree(id);
        if (entries.length === 0 && id !== root) throw about('tree', id, 'a folder with nothing in it');
        this.#weights.note(id, entries);
        for (const entry of entries) {
          if (entry.kind === 'tree') waiting.push(entry.id);
          else this.#record(entry.id, entry.name, id);
        }
      }
    }
    try {
      this.#weights.check(root);
    } catch (error) {
      throw about('commit', commit, error);
    }
  }

  #record(id: GitId, name: EncodedName, tree: GitId): void {
    const row = this.#rows.find(id);
    const fact = row < 0 ? this.#oldRecord(id) : this.#rows.facts[row]!;
    if (row >= 0) this.#reached[row]! |= REACHED.blob;
    const wanted = name === DIRECTORY_RECORD ? FACT.folder : FACT.content;
    if (fact === wanted) return;
    const place = `${JSON.stringify(name)} of tree ${tree}`;
    if (fact === FACT.content || fact === FACT.folder)
      throw about('record', id, `it is of another type than its place, ${place}`);
    if (fact !== FACT.other) throw about('tree', tree, `${JSON.stringify(name)} is no record`);
    throw this.#notRecord(id, place);
  }

  #notRecord(id: GitId, place: string): BkError {
    const data = this.#outside.readBlob(id);
    try {
      if (!isUtf8(data)) throw new BkError('damaged', 'it is not UTF-8');
      parseRecord(data.toString());
    } catch (error) {
      return about('record', id, `${(error as Error).message} (${place})`);
    }
    return about('record', id, place);
  }

  #oldTree(id: GitId): void {
    if (this.#known.get(id) === 'tree') return;
    if (!this.#inside.has(id)) throw about('tree', id, 'it was not sent, and is not here');
    if (this.#isPresenceRoot(this.#inside.readTree(id)))
      throw about('tree', id, 'it is no folder of a history');
    this.#known.set(id, 'tree');
  }

  #oldRecord(id: GitId): number {
    const known = this.#known.get(id);
    if (known !== undefined) return FACT[known];
    if (!this.#inside.has(id)) throw about('record', id, 'it was not sent, and is not here');
    const fact = blobFact(this.#inside.readBlob(id));
    if (fact !== FACT.folder && fact !== FACT.content) throw about('record', id, 'it is no record');
    this.#known.set(id, fact === FACT.folder ? 'folder' : 'content');
    return fact;
  }

  /** @returns false if it was reached like this before */
  #mark(row: number, fact: number, as: keyof typeof REACHED, id: GitId): boolean {
    if (this.#rows.facts[row] !== fact) {
      const wanted = fact === FACT.commit ? 'commit' : 'tree';
      throw about(wanted, id, `it is no ${wanted}`);
    }
    const before = this.#reached[row]!;
    this.#reached[row] = before | REACHED[as];
    if (fact === FACT.commit && (before | REACHED[as]) === (REACHED.history | REACHED.presence))
      throw about('commit', id, 'it cannot be both history and presence');
    return (before & REACHED[as]) === 0;
  }
}

function about(kind: string, id: GitId, reason: unknown): BkError {
  if (reason instanceof BkError && reason.code !== 'damaged') return reason;
  const why = reason instanceof Error ? reason.message : String(reason);
  if (reason instanceof Error && !(reason instanceof BkError)) throw reason;
  return new BkError('damaged', `${kind} ${id}: ${why}`, { cause: reason });
}
