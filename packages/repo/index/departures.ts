import {
  DIRECTORY_RECORD,
  type GitId,
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
import { type CommitObject, type DepartedRow, diffTrees, type HistoryReader } from '@bk/store';

export interface Departures {
  readonly rows: readonly DepartedRow[];
  /** Objects that were deleted before and live again. */
  readonly returned: readonly ObjectId[];
  /** `from` is on the line (or there was none): what was known of the time before it holds. */
  readonly continues: boolean;
}

/**
 * What left the head between two commits of its line (first parents), read from the history: for an index that missed
 * commits or has to be made anew. If `from` is not on the line, everything since the first commit.
 * @param own id of this repository: what others confirmed is not confirmed here (rule 12); absent: not known
 */
export function departedSince(
  history: HistoryReader,
  from: GitId | undefined,
  to: GitId | undefined,
  own?: string,
): Departures {
  const rows = new Departed();
  const returned = new Set<ObjectId>();
  let before: GitId | undefined;
  const { commits, continues } = line(history, from, to);
  for (const commit of commits) {
    before ??= commit.parents[0] === undefined ? undefined : history.readCommit(commit.parents[0]).tree;
    const { gone, came } = compare(history, before, commit.tree);
    for (const id of came.keys()) {
      if (gone.has(id)) continue;
      returned.add(id);
      rows.comeBack(id);
    }
    for (const [id, { path, record, rec }] of gone) {
      const after = came.get(id);
      if (after !== undefined && after.rec.blake3 === rec.blake3) continue;
      rows.add(departedRow({ path, record, rec, commit, replaced: after !== undefined, own }));
      if (after === undefined) returned.delete(id);
    }
    before = commit.tree;
  }
  return { rows: rows.all(), returned: [...returned], continues };
}

/** Versions that left, by object. */
class Departed {
  readonly #rows = new Map<ObjectId, DepartedRow[]>();

  add(row: DepartedRow): void {
    const others = this.#rows.get(row.id);
    if (others === undefined) this.#rows.set(row.id, [row]);
    else others.push(row);
  }

  /** Its deletion is no longer listed; versions of it that were replaced are. */
  comeBack(id: ObjectId): void {
    const rows = this.#rows.get(id);
    if (rows !== undefined)
      this.#rows.set(
        id,
        rows.filter(({ reason }) => reason === 'replaced'),
      );
  }

  all(): DepartedRow[] {
    return [...this.#rows.values()].flat();
  }
}

/** Commits from the one after `from` to `to`, oldest first. */
function line(
  history: HistoryReader,
  from: GitId | undefined,
  to: GitId | undefined,
): { commits: CommitObject[]; continues: boolean } {
  const commits: CommitObject[] = [];
  let id = to;
  while (id !== undefined && id !== from) {
    const commit = history.readCommit(id);
    commits.push(commit);
    id = commit.parents[0];
  }
  return { commits: commits.reverse(), continues: id === from };
}

interface Version {
  readonly path: RepoPath;
  readonly record: GitId;
  readonly rec: Rec;
}

function compare(
  history: HistoryReader,
  before: GitId | undefined,
  after: GitId,
): { gone: Map<ObjectId, Version>; came: Map<ObjectId, Version> } {
  const gone = new Map<ObjectId, Version>();
  const came = new Map<ObjectId, Version>();
  const changes = [...diffTrees(history, before, after)];
  // A record that is only in another place is nothing that left: it is not read.
  const left = new Set(changes.map((change) => change.before));
  const moved = new Set(changes.flatMap((change) => (left.has(change.after) ? [change.after] : [])));
  for (const change of changes) {
    const folder = nameOf(change.path) === DIRECTORY_RECORD;
    const path = folder ? parentOf(change.path) : change.path;
    for (const [record, side] of [
      [change.before, gone],
      [change.after, came],
    ] as const) {
      if (record === undefined || moved.has(record)) continue;
      const rec = parseRecord(history.readBlobText(record));
      side.set(rec.id, { path, record, rec });
    }
  }
  return { gone, came };
}

interface Departure extends Version {
  readonly commit: CommitObject;
  readonly replaced: boolean;
  readonly own: string | undefined;
}

function departedRow({ path, record, rec, commit, replaced, own }: Departure): DepartedRow {
  const { deletions, repository } = parseCommitMessage(commit.message);
  const isOwn = own === undefined || repository?.id === own;
  return {
    id: rec.id,
    path,
    type: rec.type,
    blake3: rec.blake3,
    size: rec.size ?? 0,
    mtimeNs: rec.mtime === undefined ? 0n : parseMtime(rec.mtime),
    mode: parseMode(rec.mode),
    target: rec.target,
    record,
    inode: 0n,
    commit: commit.id,
    timeSec: commit.committer.timeSec,
    reason: replaced ? 'replaced' : 'deleted',
    confirmed: !replaced && isOwn && deletions === 'confirmed',
    released: false,
  };
}
