import {
  type ContentHash,
  DIRECTORY_RECORD,
  decodeName,
  expectedNames,
  type FsName,
  type GitId,
  hasOwnRecord,
  type IdentifiedEntry,
  isWhollyAbsent,
  joinPath,
  KIND,
  type KnownDirectory,
  nameOf,
  PLAIN_FOLDER_MODE,
  PROTECTION,
  type Protection,
  parentOf,
  parseMode,
  parseRecord,
  type RepoPath,
  STAT,
  STAT_WIDTH,
  type TrackedEntry,
  timeNs,
} from '@bk/core';
import type { DepartedRow, IndexDb, IndexUpdate, TreeEntry } from '@bk/store';
import type { Recorded } from '../history/records.ts';
import type { WrittenTree } from '../history/trees.ts';
import { treeAt } from '../history/trees.ts';
import type { Decision } from '../observe/decide.ts';
import { type Draft, foundOf, idAt, protectionOf, recordAt } from '../observe/draft.ts';
import { markAbsent, settleFlags } from '../presence/absent-rows.ts';
import type { Repository } from '../repository.ts';
import type { Extended } from '../safety/net.ts';
import { recordedFacts } from './departures.ts';
import { addRecordOnly } from './rebuild.ts';
import { RowBuilder, type RowEntry } from './row-builder.ts';

export interface Summary {
  readonly recorded: readonly Recorded[];
  readonly written: readonly WrittenTree[];
  readonly extended: Extended;
  readonly deleted: readonly TrackedEntry[];
  /** Undefined: nothing changed but stats. */
  readonly commit: { readonly id: GitId; readonly timeSec: number } | undefined;
  readonly confirmed: boolean;
}

export interface UpdateOfIndex extends IndexUpdate {
  readonly put: ReadonlyMap<RepoPath, KnownDirectory>;
  readonly remove: ReadonlySet<RepoPath>;
}

/** What the index has to know after a commit: rows that mirror its trees, and what left the head with it. */
export function indexUpdate(
  repo: Repository,
  decision: Decision,
  summary: Summary,
): { update: UpdateOfIndex; unprotected: number } {
  const put = new Map<RepoPath, KnownDirectory>();
  const rows = new Rows(repo, decision, { ...summary, put });
  const remove = new Set<RepoPath>();
  // Folders come after those that they are in; flags of absence go up, so the rows are made from below.
  for (const { path, tree, entries } of summary.written.toReversed()) {
    if (tree === undefined) remove.add(path);
    else put.set(path, rows.row(path, tree, entries));
  }
  const touched = new Set([...rows.touched, ...decision.observation.mounted]);
  for (const path of touched) {
    if (put.has(path) || remove.has(path)) continue;
    const row = rows.refreshed(path);
    if (row !== undefined) put.set(path, row);
  }
  if (repo.index.absent.any) {
    for (const path of decision.carried) markCarried(path, { index: repo.index, put, remove });
    settleFlags(put, repo.index);
  }
  const head = summary.commit?.id;
  const update: UpdateOfIndex = {
    head,
    put,
    remove,
    files: repo.index.files + rows.balance,
    clearPending: head !== undefined,
    departed: head === undefined ? [] : departedRows(repo, summary),
    returned: summary.recorded.filter(({ entry }) => entry.object.kind === 'returned').map(({ id }) => id),
  };
  return { update, unprotected: rows.unprotected };
}

/** Makes rows from the commit's trees, what was recorded now, and what the old rows say of the rest. */
class Rows {
  readonly #repo: Repository;
  readonly #decision: Decision;
  readonly #summary: Summary & { readonly put: ReadonlyMap<RepoPath, KnownDirectory> };
  /** Something is absent by design. */
  readonly #some: boolean;
  readonly #folders = new Map<RepoPath, Map<string, Recorded>>();
  readonly #own = new Map<RepoPath, Recorded>();
  /** Folders whose own records are here again. */
  readonly #returned = new Set<RepoPath>();
  readonly #paths = new Set<RepoPath>();
  readonly #mounted: ReadonlySet<RepoPath>;
  readonly balance: number;
  unprotected = 0;

  constructor(
    repo: Repository,
    decision: Decision,
    summary: Summary & { readonly put: ReadonlyMap<RepoPath, KnownDirectory> },
  ) {
    this.#some = repo.index.absent.any;
    this.#repo = repo;
    this.#decision = decision;
    this.#summary = summary;
    this.#mounted = new Set(decision.observation.mounted);
    let balance = -summary.deleted.filter(({ type }) => type !== 'dir').length;
    for (const recorded of summary.recorded) {
      const { seen, object } = recorded.entry;
      if (seen.type === 'dir') {
        this.#own.set(seen.path, recorded);
        if (object.kind === 'known' && object.tracked.absent === true) this.#returned.add(seen.path);
        continue;
      }
      this.#paths.add(seen.path);
      if (object.kind !== 'known') balance++;
      const folder = parentOf(seen.path);
      const names = this.#folders.get(folder);
      if (names === undefined) this.#folders.set(folder, new Map([[nameOf(seen.path), recorded]]));
      else names.set(nameOf(seen.path), recorded);
    }
    this.balance = balance;
  }

  /** Folders of which something was recorded, if only that its stat changed. */
  get touched(): Iterable<RepoPath> {
    return [...this.#folders.keys(), ...this.#returned];
  }

  row(path: RepoPath, tree: GitId, entries: readonly TreeEntry[]): KnownDirectory {
    const draft = this.#decision.observation.drafts.get(path);
    const old = this.#old(path);
    const names = this.#folders.get(path);
    const observedNs = this.#observed(draft, old, names);
    const places = new Map<string, number>(old?.listing.names.map((name, k) => [name, k]) ?? []);
    const unvouched = unvouchedNames(draft);
    const expected = new Set<string>();
    const row = new RowBuilder();
    // What a file system without modes made of a plain folder stays remembered.
    const plain = old === undefined || hasOwnRecord(old) ? PLAIN_FOLDER_MODE : old.listing.modes[0]!;
    row.addFolder('.' as FsName, plain);
    for (const { name, kind, id } of entries) {
      if (name === DIRECTORY_RECORD) {
        this.#addOwn(row, path, id, old);
        continue;
      }
      const bytes = decodeName(name);
      const k = places.get(bytes);
      const recorded = names?.get(name);
      const before = k === undefined ? PROTECTION.none : old!.protections[k];
      let absent = before === PROTECTION.absent;
      if (kind === 'tree') {
        absent = this.#isAbsentFolder(joinPath(path, name), absent);
        row.addFolder(bytes, PLAIN_FOLDER_MODE, absent);
      } else if (recorded?.record === id) {
        absent = false;
        row.add(this.#entry(recorded, bytes, observedNs));
      } else if (old !== undefined && k !== undefined && recordAt(old, k) === id)
        row.addKnown(old, k, unvouched.has(bytes));
      else {
        absent = false;
        addRecordOnly(row, { name: bytes, record: id, history: this.#repo.history });
      }
      if (!absent) expected.add(bytes);
    }
    const listed = this.#listed(draft, old, expected);
    if (listed !== undefined) row.listedAt(listed);
    const mount = draft?.mount ?? (this.#mounted.has(path) || old?.mount === true);
    return row.finish({ tree, observedNs, mount });
  }

  #isAbsentFolder(path: RepoPath, before: boolean): boolean {
    if (!this.#some) return false;
    const row = this.#summary.put.get(path);
    return row === undefined ? before : isWhollyAbsent(row);
  }

  /** The folder's stat, if what is expected there was all that was in it and nothing came or went just then. */
  #listed(
    draft: Draft | undefined,
    old: KnownDirectory | undefined,
    expected: ReadonlySet<string>,
  ): BigInt64Array | undefined {
    const listing = draft?.listing ?? old?.listing;
    if (listing === undefined || draft?.readable === false) return undefined;
    const stats = listing.stats.slice(0, STAT_WIDTH);
    if (draft !== undefined && stats[STAT.ctime]! > draft.observedNs - this.#decision.grainNs)
      return undefined;
    const names = draft === undefined ? expectedNames(old!) : listing.names.slice(1);
    const all = names.length === expected.size && names.every((name) => expected.has(name));
    return all ? stats : undefined;
  }

  /** A folder whose tree is the same and whose files were looked at again. */
  refreshed(path: RepoPath): KnownDirectory | undefined {
    const old = this.#old(path);
    const tree = old?.tree ?? treeAt(this.#repo.history, this.#headTree(), path);
    return tree === undefined ? undefined : this.row(path, tree, this.#repo.history.readTree(tree));
  }

  #headTree(): GitId | undefined {
    const { head, history } = this.#repo;
    return head === undefined ? undefined : history.readCommit(head).tree;
  }

  #old(path: RepoPath): KnownDirectory | undefined {
    return this.#decision.observation.drafts.get(path)?.known ?? this.#repo.index.known(path);
  }

  #addOwn(row: RowBuilder, path: RepoPath, record: GitId, old: KnownDirectory | undefined): void {
    const recorded = this.#own.get(path);
    const seen = this.#decision.observation.drafts.get(path)?.listing.stats ?? old?.listing.stats;
    if (recorded?.record === record) {
      row.own(recorded.id, record, recorded.entry.seen.mode, { stats: seen });
    } else if (old !== undefined && recordAt(old, 0) === record) {
      const absent = old.protections[0] === PROTECTION.absent;
      row.own(idAt(old, 0), record, old.listing.modes[0]!, { stats: seen, absent });
    } else {
      const rec = parseRecord(this.#repo.history.readBlobText(record));
      row.own(rec.id, record, parseMode(rec.mode), { stats: seen });
    }
  }

  /** When all of a row's entries had been looked at; entries seen earlier are checked one by one. */
  #observed(
    draft: Draft | undefined,
    old: KnownDirectory | undefined,
    names: ReadonlyMap<string, Recorded> | undefined,
  ): bigint {
    let observed = draft?.observedNs ?? old?.observedNs ?? 0n;
    for (const { entry } of names?.values() ?? []) {
      const kept = this.#summary.extended.kept.get(entry.seen.path);
      if (kept !== undefined && kept.observedNs > observed) observed = kept.observedNs;
    }
    return observed;
  }

  #entry(recorded: Recorded, name: FsName, observedNs: bigint): RowEntry {
    const { seen } = recorded.entry;
    const found = foundOf(recorded.entry);
    const kept = this.#summary.extended.kept.get(seen.path);
    const protection =
      seen.type === 'symlink' ? PROTECTION.none : (kept?.protection ?? this.#protection(recorded.entry));
    if (seen.type === 'file' && protection === PROTECTION.none && seen.size > 0) this.unprotected++;
    const columns = {
      name,
      kind: seen.type === 'symlink' ? KIND.symlink : KIND.file,
      mode: seen.mode,
      hash: seen.blake3 as ContentHash,
      id: recorded.id,
      record: recorded.record,
      protection,
    };
    const { draft, at } = found;
    const from = kept ?? { stats: draft.listing.stats, at };
    const stats = from.stats.slice(from.at * STAT_WIDTH, (from.at + 1) * STAT_WIDTH);
    // If it had just been written when it was first looked at, a later look proves nothing about what was hashed.
    const racy =
      timeNs(draft.listing.stats[at * STAT_WIDTH + STAT.ctime]!) > draft.observedNs - this.#decision.grainNs;
    if ((racy && draft.observedNs < observedNs) || this.#lacksNames(seen.path)) stats[STAT.ctime] = 0n;
    return { ...columns, stats, at: 0 };
  }

  /** Other names of its inode are not in this commit: the next one must see it again, to record that they are one file. */
  #lacksNames(path: RepoPath): boolean {
    return this.#decision.linked.get(path)?.some((other) => !this.#paths.has(other)) === true;
  }

  #protection({ object }: IdentifiedEntry): Protection {
    return object.kind === 'known' ? protectionOf(object.tracked) : PROTECTION.none;
  }
}

/** A folder that is not here any more, while something below it is absent by design: its record is absent too. */
function markCarried(
  path: RepoPath,
  {
    index,
    put,
    remove,
  }: { index: IndexDb; put: Map<RepoPath, KnownDirectory>; remove: ReadonlySet<RepoPath> },
): void {
  const known = remove.has(path) ? undefined : (put.get(path) ?? index.known(path));
  if (known === undefined || !hasOwnRecord(known) || known.protections[0] === PROTECTION.absent) return;
  markAbsent(known, 0);
  put.set(path, known);
}

/** Names whose files differ from what the row knows of them and were left out of this commit. */
function unvouchedNames(draft: Draft | undefined): ReadonlySet<string> {
  const names = new Set<string>();
  draft?.listing.names.forEach((name, i) => {
    if (draft.vouched[i] === 0) names.add(name);
  });
  return names;
}

function departedRows(repo: Repository, { recorded, deleted, commit, confirmed }: Summary): DepartedRow[] {
  const rows: DepartedRow[] = deleted.map((tracked) =>
    departedRow(repo, tracked, { commit: commit!, reason: 'deleted', confirmed }),
  );
  for (const { entry } of recorded) {
    const { seen, object } = entry;
    if (object.kind !== 'known' || seen.type === 'dir' || object.tracked.blake3 === seen.blake3) continue;
    rows.push(departedRow(repo, object.tracked, { commit: commit!, reason: 'replaced', confirmed: false }));
  }
  return rows;
}

interface Leaving {
  readonly commit: { readonly id: GitId; readonly timeSec: number };
  readonly reason: 'deleted' | 'replaced';
  readonly confirmed: boolean;
}

/** The history says what it was; the index, which inode it had and what the file system made of it. */
function departedRow(
  repo: Repository,
  tracked: TrackedEntry,
  { commit, reason, confirmed }: Leaving,
): DepartedRow {
  const facts = recordedFacts(parseRecord(repo.history.readBlobText(tracked.record)));
  const { mtimeNs, mode } = tracked;
  const asRecorded = mtimeNs === facts.mtimeNs && mode === facts.mode;
  return {
    ...facts,
    path: tracked.path,
    record: tracked.record,
    inode: tracked.inode,
    ...(!asRecorded && { seen: { mtimeNs, mode } }),
    commit: commit.id,
    timeSec: commit.timeSec,
    reason,
    confirmed,
    released: false,
  };
}
