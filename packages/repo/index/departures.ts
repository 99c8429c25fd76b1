import {
  ARRIVAL_UNKNOWN,
  DIRECTORY_RECORD,
  type GitId,
  mergeBases,
  nameOf,
  type ObjectId,
  parentOf,
  parseCommitMessage,
  parseMode,
  parseMtime,
  parseRecord,
  type Rec,
  type RepoPath,
} from '@bk/core';
import {
  type CommitObject,
  type DepartedRow,
  type HistoryReader,
  isAncestor,
  type OneSided,
  recordsOfOne,
  type TreeFile,
} from '@bk/store';
import { commitsBetween, graphOf } from '../history/graph.ts';

export interface Departures {
  readonly rows: readonly DepartedRow[];
  /** Objects that were deleted before and live again. */
  readonly returned: readonly ObjectId[];
  /** `from` leads to `to` (or there was none): what was known of the time before it holds. */
  readonly continues: boolean;
}

/**
 * What left the head between two commits, read from the history: for an index that missed commits or has to be made
 * anew, which finds the same. Which side of a merge was here is no question: what either side let go of counts, in the
 * commit that let it go, and at the merge what only the merge gave up. If `from` does not lead to `to`, everything since
 * the first commit.
 * @param own id of this repository: what others let go of arrived here, when nobody says (rule 12)
 */
export function departedSince(
  history: HistoryReader,
  from: GitId | undefined,
  to: GitId | undefined,
  own?: string,
): Departures {
  const rows = new Departed(history);
  const returned = new Set<ObjectId>();
  const { commits, continues } = commitsBetween(history, from, to);
  for (const commit of commits) {
    const steps = stepsTo(history, commit);
    for (const { gone, came } of steps)
      for (const id of came.keys()) {
        if (gone.has(id)) continue;
        returned.add(id);
        rows.comeBack(id, commit.id);
      }
    const listed = new Set<string>();
    for (const { gone, successor, lost } of steps)
      for (const [id, { path, record, rec }] of gone) {
        const after = successor(id);
        if (after !== undefined && after.rec.blake3 === rec.blake3) continue;
        if (after === undefined) returned.delete(id);
        const version = versionOf(rec);
        if (lost.has(version) || listed.has(version)) continue;
        listed.add(version);
        rows.add(departedRow({ path, record, rec, commit, replaced: after !== undefined, own }));
      }
  }
  return { rows: rows.all(), returned: [...returned], continues };
}

/** From one parent of a commit to the commit. */
interface Step extends Comparison {
  /** Versions that another parent's side let go of before: they are listed there. */
  readonly lost: ReadonlySet<string>;
}

function stepsTo(history: HistoryReader, { parents, tree }: CommitObject): Step[] {
  if (parents.length < 2)
    return [{ ...compare(history, treeOf(history, parents[0]), tree), lost: new Set() }];
  return parents.map((parent) => {
    const others = parents.filter((other) => other !== parent);
    const lost = new Set(others.flatMap((other) => lostOnTheWay(history, parent, other)));
    return { ...compare(history, treeOf(history, parent), tree), lost };
  });
}

/** Versions that both sides had once, and one of them has no more. */
function lostOnTheWay(history: HistoryReader, has: GitId, lacks: GitId): string[] {
  return mergeBases(graphOf(history), has, lacks).flatMap((base) => {
    const { gone, successor } = compare(history, treeOf(history, base), history.readCommit(lacks).tree);
    const lost = [...gone.values()].filter(({ rec }) => successor(rec.id)?.rec.blake3 !== rec.blake3);
    return lost.map(({ rec }) => versionOf(rec));
  });
}

function versionOf({ id, blake3 }: Rec): string {
  return `${id} ${blake3 ?? ''}`;
}

function treeOf(history: HistoryReader, commit: GitId | undefined): GitId | undefined {
  return commit === undefined ? undefined : history.readCommit(commit).tree;
}

/** Versions that left, by object. */
class Departed {
  readonly #history: HistoryReader;
  readonly #rows = new Map<ObjectId, DepartedRow[]>();

  constructor(history: HistoryReader) {
    this.#history = history;
  }

  add(row: DepartedRow): void {
    const others = this.#rows.get(row.id);
    if (others === undefined) this.#rows.set(row.id, [row]);
    else others.push(row);
  }

  /** Its deletion before that commit is no longer listed; versions of it that were replaced are. */
  comeBack(id: ObjectId, inCommit: GitId): void {
    const rows = this.#rows.get(id);
    if (rows === undefined) return;
    const stays = ({ reason, commit }: DepartedRow): boolean =>
      reason === 'replaced' || !isAncestor(this.#history, commit, inCommit);
    this.#rows.set(id, rows.filter(stays));
  }

  all(): DepartedRow[] {
    return [...this.#rows.values()].flat();
  }
}

interface Version {
  readonly path: RepoPath;
  readonly record: GitId;
  readonly rec: Rec;
}

interface Comparison {
  readonly gone: ReadonlyMap<ObjectId, Version>;
  readonly came: ReadonlyMap<ObjectId, Version>;
  /** What became of an object that is gone under its id: it may be part of another one now. */
  readonly successor: (id: ObjectId) => Version | undefined;
}

/** A record that is only in another place is nothing that left: it is not read. */
function compare(history: HistoryReader, before: GitId | undefined, after: GitId): Comparison {
  const { gone, came } = recordsOfOne(history, before, after);
  const versions = ({ records }: OneSided) =>
    new Map(records.map((file) => versionAt(history, file)).map((version) => [version.rec.id, version]));
  const now = versions(came);
  const unified = new Map(
    [...now.values()].flatMap((version) => (version.rec.was ?? []).map((id) => [id, version] as const)),
  );
  return { gone: versions(gone), came: now, successor: (id) => now.get(id) ?? unified.get(id) };
}

function versionAt(history: HistoryReader, { path, id }: TreeFile): Version {
  const at = nameOf(path) === DIRECTORY_RECORD ? parentOf(path) : path;
  return { path: at, record: id, rec: parseRecord(history.readBlobText(id)) };
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

interface Departure extends Version {
  readonly commit: CommitObject;
  readonly replaced: boolean;
  readonly own: string | undefined;
}

function departedRow({ path, record, rec, commit, replaced, own }: Departure): DepartedRow {
  const { deletions, repository } = parseCommitMessage(commit.message);
  // A merge has no trailer: what only it gave up was not let go of here.
  const isOwn = repository !== undefined && repository.id === own;
  return {
    ...recordedFacts(rec),
    path,
    record,
    inode: 0n,
    commit: commit.id,
    timeSec: commit.committer.timeSec,
    reason: replaced ? 'replaced' : 'deleted',
    confirmed: !replaced && deletions === 'confirmed',
    ...(!isOwn && { arrivedSec: ARRIVAL_UNKNOWN }),
    released: false,
  };
}
