import {
  ARRIVAL_UNKNOWN,
  type GitId,
  mergeBases,
  type ObjectId,
  parseCommitMessage,
  parseMode,
  parseMtime,
  type Rec,
} from '@bk/core';
import type { CommitObject, DepartedRow, HistoryReader } from '@bk/store';
import { commitsBetween, graphOf } from '../history/graph.ts';
import { backIn, type Left, leftIn, stepsTo, versionOf } from './left-versions.ts';

export interface Departures {
  /** To be listed; some in place of what was listed until now. */
  readonly rows: readonly DepartedRow[];
  /** Deletions that are listed no more: their objects live again as they were. */
  readonly withdrawn: readonly DepartedRow[];
  /** `from` leads to `to` (or there was none): what was known of the time before it holds. */
  readonly continues: boolean;
}

export interface DepartureQuery {
  /** The commit of which all is known; undefined: nothing is. */
  readonly from: GitId | undefined;
  readonly to: GitId | undefined;
  /** Id of this repository: what others let go of arrived here, when nobody says (rule 12). */
  readonly own?: string | undefined;
  /** What is listed so far of an object. */
  readonly listed?: (id: ObjectId) => readonly DepartedRow[];
}

/**
 * What left the head between two commits, read from the history: for an index that missed commits or has to be made
 * anew, which finds the same. Which side of a merge was here is no question: what either side let go of counts, in the
 * commit that let it go, and at the merge what only the merge gave up, or took from a side that had it at another path or
 * with another mode than the one that let it go. If `from` does not lead to `to`, everything since the first commit.
 */
export function departedSince(history: HistoryReader, query: DepartureQuery): Departures {
  const { commits, continues } = commitsBetween(history, query.from, query.to);
  const departed = new Departed(history, continues ? query.listed : undefined);
  for (const commit of commits) {
    const steps = stepsTo(history, commit);
    for (const step of steps)
      for (const [id, now] of backIn(step)) departed.comeBack(id, { now: now.rec, commit: commit.id });
    const told = new Set<string>();
    const maker = makerOf(commit, query.own);
    for (const step of steps)
      for (const left of leftIn(step)) {
        const version = versionOf(left.rec);
        const row = departedRow(left, maker);
        if (told.has(version) || departed.tells(row, left.since)) continue;
        told.add(version);
        const confirmed = left.since.length > 0 && departed.isConfirmed(row);
        departed.add(confirmed ? { ...row, confirmed } : row);
      }
  }
  return { ...departed.result(), continues };
}

/** A version that left. */
interface Listed {
  readonly row: DepartedRow;
  /** Was listed until now. */
  readonly known: boolean;
  /** Its object lives again in a later commit: as it was, or with another content. */
  back?: 'same' | 'other';
}

/** Versions that left, by object. */
class Departed {
  readonly #history: HistoryReader;
  readonly #known: (id: ObjectId) => readonly DepartedRow[];
  readonly #listed = new Map<ObjectId, Listed[]>();
  readonly #descends = new Map<string, boolean>();

  constructor(history: HistoryReader, known: (id: ObjectId) => readonly DepartedRow[] = () => []) {
    this.#history = history;
    this.#known = known;
  }

  add(row: DepartedRow): void {
    const listed = this.#of(row.id);
    this.#listed.set(row.id, listed);
    listed.push({ row, known: false });
  }

  /** Its deletions before that commit are none any more; versions of it that were replaced stay listed. */
  comeBack(id: ObjectId, { now, commit }: { readonly now: Rec; readonly commit: GitId }): void {
    for (const listed of this.#of(id)) {
      const { reason, blake3, commit: leftIn } = listed.row;
      if (reason === 'replaced' || listed.back === 'same' || !this.#isAncestor(leftIn, commit)) continue;
      listed.back = blake3 === undefined || blake3 === now.blake3 ? 'same' : 'other';
    }
  }

  /** Whether just this is listed as having left since one of some commits. */
  tells({ id, blake3, path, record, commit }: DepartedRow, since: readonly GitId[]): boolean {
    if (since.length === 0) return false;
    return this.#of(id).some(({ row }) => {
      if (row.blake3 !== blake3 || row.path !== path || row.record !== record) return false;
      return (
        this.#isAncestor(row.commit, commit) && !since.every((base) => this.#isAncestor(row.commit, base))
      );
    });
  }

  /** Whether those who let go of this version before confirmed it: what a merge carries out, it does on their word. */
  isConfirmed(row: DepartedRow): boolean {
    if (row.reason === 'replaced') return false;
    const before = this.#of(row.id)
      .map((listed) => listed.row)
      .filter(({ reason, blake3, commit }) => {
        return reason === 'deleted' && blake3 === row.blake3 && this.#isAncestor(commit, row.commit);
      });
    const last = before.filter(
      ({ commit }) =>
        !before.some((other) => other.commit !== commit && this.#isAncestor(commit, other.commit)),
    );
    return last.length > 0 && last.every(({ confirmed }) => confirmed);
  }

  result(): Pick<Departures, 'rows' | 'withdrawn'> {
    const rows: DepartedRow[] = [];
    const withdrawn: DepartedRow[] = [];
    for (const { row, known, back } of [...this.#listed.values()].flat()) {
      if (back === 'other') rows.push(outlived(row));
      else if (back === 'same' && known) withdrawn.push(row);
      else if (back === undefined && !known) rows.push(row);
    }
    return { rows, withdrawn };
  }

  /** Kept only if there are any: most objects that come never left. */
  #of(id: ObjectId): Listed[] {
    const listed = this.#listed.get(id) ?? this.#known(id).map((row) => ({ row, known: true }));
    if (listed.length > 0) this.#listed.set(id, listed);
    return listed;
  }

  #isAncestor(one: GitId, of: GitId): boolean {
    const key = `${one} ${of}`;
    let known = this.#descends.get(key);
    if (known === undefined) {
      known = this.#history.has(one) && mergeBases(graphOf(this.#history), one, of)[0] === one;
      this.#descends.set(key, known);
    }
    return known;
  }
}

/** The object lives, with a content that came from elsewhere: what was a deletion is a version that was replaced. */
function outlived(row: DepartedRow): DepartedRow {
  return { ...row, reason: 'replaced', confirmed: false, arrivedSec: ARRIVAL_UNKNOWN };
}

/** What the record of a version says of it, in the columns of the table. */
export function recordedFacts(rec: Rec) {
  return {
    id: rec.id,
    type: rec.type,
    blake3: rec.blake3,
    size: rec.size ?? 0,
    mtimeNs: rec.mtime === undefined ? 0n : parseMtime(rec.mtime),
    mode: parseMode(rec.mode),
    target: rec.target,
  };
}

interface Maker {
  readonly commit: CommitObject;
  readonly confirmed: boolean;
  readonly isOwn: boolean;
}

/** A merge has no trailer: what only it gave up was not let go of here. */
function makerOf(commit: CommitObject, own: string | undefined): Maker {
  const { deletions, repository } = parseCommitMessage(commit.message);
  const isOwn = repository !== undefined && repository.id === own;
  return { commit, confirmed: deletions === 'confirmed', isOwn };
}

function departedRow(
  { path, record, rec, replaced }: Left,
  { commit, confirmed, isOwn }: Maker,
): DepartedRow {
  return {
    ...recordedFacts(rec),
    path,
    record,
    inode: 0n,
    commit: commit.id,
    timeSec: commit.committer.timeSec,
    reason: replaced ? 'replaced' : 'deleted',
    confirmed: !replaced && confirmed,
    ...(!isOwn && { arrivedSec: ARRIVAL_UNKNOWN }),
    released: false,
  };
}
