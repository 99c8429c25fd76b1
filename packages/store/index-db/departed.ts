import {
  ARRIVAL_UNKNOWN,
  type ContentHash,
  type EntryType,
  type GitId,
  type ObjectId,
  type RepoPath,
} from '@bk/core';
import type Database from 'better-sqlite3';
import { guarded, IndexDamaged } from './damage.ts';

/** A version of an object that the head no longer has: its file was deleted, or its content replaced. */
export interface DepartedRow {
  readonly id: ObjectId;
  readonly path: RepoPath;
  readonly type: EntryType;
  readonly blake3: ContentHash | undefined;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly mode: number;
  /** Of a symlink, encoded like a name. */
  readonly target: string | undefined;
  readonly record: GitId;
  /** Where its link in the safety net came from; 0n: not known. */
  readonly inode: bigint;
  /** What the file system here had made of its time and mode, if that was something else than what the record says. */
  readonly seen?: SeenFacts | undefined;
  /** The commit that no longer has it, and that commit's time in s since 1970. */
  readonly commit: GitId;
  readonly timeSec: number;
  readonly reason: 'deleted' | 'replaced';
  /** By whoever made it. */
  readonly confirmed: boolean;
  /** When it came here, in s since 1970, if another repository let it go; `ARRIVAL_UNKNOWN`: not noted yet. */
  readonly arrivedSec?: number | undefined;
  /** Its entry in the safety net was let go. */
  readonly released: boolean;
}

export interface SeenFacts {
  readonly mtimeNs: bigint;
  readonly mode: number;
}

type Stored = [
  string,
  string,
  string,
  Buffer | null,
  bigint,
  string,
  bigint,
  string | null,
  Buffer,
  bigint,
  Buffer,
  bigint,
  string,
  bigint,
  bigint,
  string | null,
  bigint | null,
  bigint | null,
];

const COLUMNS =
  'id, path, type, blake3, size, mtime, mode, target, record, inode, gone_in, time, reason, confirmed, released, seen_mtime, seen_mode, arrived';
/** Of the table as an earlier bk may have made it: what it lacks is added. */
const ADDED = [
  ['seen_mtime', 'TEXT'],
  ['seen_mode', 'INTEGER'],
  ['arrived', 'INTEGER'],
] as const;

/** Not what `restore` replaced, which no commit ever had. */
const BY_COMMIT = '(blake3 IS NULL OR substr(blake3, 1, 20) <> gone_in)';
const ORDER = 'ORDER BY path, time, id, record, gone_in';

/** What left the head, found by content, by path or by object; rebuilt from the history by `reindex`. Times beyond 2262 fit no INTEGER of SQLite: mtimes are texts. */
export class DepartedTable {
  static readonly schema = `
    CREATE TABLE IF NOT EXISTS departed (
      id TEXT NOT NULL, path TEXT NOT NULL, type TEXT NOT NULL, blake3 BLOB, size INTEGER NOT NULL,
      mtime TEXT NOT NULL, mode INTEGER NOT NULL, target TEXT, record BLOB NOT NULL, inode INTEGER NOT NULL,
      gone_in BLOB NOT NULL, time INTEGER NOT NULL, reason TEXT NOT NULL, confirmed INTEGER NOT NULL,
      released INTEGER NOT NULL, seen_mtime TEXT, seen_mode INTEGER, arrived INTEGER,
      UNIQUE (id, record, gone_in));
    CREATE INDEX IF NOT EXISTS departed_content ON departed (blake3);
    CREATE INDEX IF NOT EXISTS departed_path ON departed (path);
  `;
  readonly #db: Database.Database;
  #committed: Database.Statement<[string], Stored> | undefined;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** Brings a table of an earlier bk up to date; two processes may be about to. */
  static migrate(db: Database.Database): void {
    if (lackingColumns(db).length === 0) return;
    db.transaction(() => {
      for (const [name, type] of lackingColumns(db))
        db.exec(`ALTER TABLE departed ADD COLUMN ${name} ${type}`);
    }).immediate();
  }

  add(row: DepartedRow): void {
    this.#db
      .prepare(`INSERT OR REPLACE INTO departed (${COLUMNS}) VALUES (${COLUMNS.replace(/\w+/g, '?')})`)
      .run(
        row.id,
        row.path,
        row.type,
        row.blake3 === undefined ? null : Buffer.from(row.blake3, 'hex'),
        row.size,
        String(row.mtimeNs),
        row.mode,
        row.target ?? null,
        Buffer.from(row.record, 'hex'),
        BigInt.asIntN(64, row.inode),
        Buffer.from(row.commit, 'hex'),
        row.timeSec,
        row.reason,
        row.confirmed ? 1 : 0,
        row.released ? 1 : 0,
        row.seen === undefined ? null : String(row.seen.mtimeNs),
        row.seen === undefined ? null : row.seen.mode,
        row.arrivedSec ?? null,
      );
  }

  /** The object lives again: its deletion is no longer listed (replaced versions of it stay). */
  forget(id: ObjectId): void {
    this.#db.prepare(`DELETE FROM departed WHERE id = ? AND reason = 'deleted'`).run(id);
  }

  /** Takes versions off the list that did not leave after all. */
  remove(rows: readonly DepartedRow[]): void {
    if (rows.length === 0) return;
    guarded(() => {
      const remove = this.#db.prepare('DELETE FROM departed WHERE id = ? AND record = ? AND gone_in = ?');
      this.#db.transaction(() => {
        for (const row of rows)
          remove.run(row.id, Buffer.from(row.record, 'hex'), Buffer.from(row.commit, 'hex'));
      })();
    });
  }

  markReleased(rows: Iterable<DepartedRow>): void {
    guarded(() => {
      const mark = this.#db.prepare(
        'UPDATE departed SET released = 1 WHERE id = ? AND record = ? AND gone_in = ?',
      );
      this.#db.transaction(() => {
        for (const row of rows)
          mark.run(row.id, Buffer.from(row.record, 'hex'), Buffer.from(row.commit, 'hex'));
      })();
    });
  }

  /** From now on it is known since when they have been here. */
  noteArrivals(nowSec: number): void {
    guarded(() =>
      this.#db.prepare('UPDATE departed SET arrived = ? WHERE arrived = ?').run(nowSec, ARRIVAL_UNKNOWN),
    );
  }

  /** Whatever commits of this repository let go of, they are another's from now on. */
  becomeArrivals(): void {
    guarded(() =>
      this.#db
        .prepare(`UPDATE departed SET arrived = ? WHERE arrived IS NULL AND ${BY_COMMIT}`)
        .run(ARRIVAL_UNKNOWN),
    );
  }

  /** Versions that no commit ever had, which no history can tell: what `restore` replaced. */
  uncommitted(): DepartedRow[] {
    return guarded(() => this.#select<[]>(`substr(blake3, 1, 20) = gone_in ${ORDER}`).all()).map(departedRow);
  }

  all(): DepartedRow[] {
    return guarded(() => this.#select<[]>(`TRUE ${ORDER}`).all()).map(departedRow);
  }

  /** Versions of one object that commits let go of. */
  committed(id: ObjectId): DepartedRow[] {
    return guarded(() => {
      this.#committed ??= this.#select<[string]>(`id = ? AND ${BY_COMMIT} ${ORDER}`);
      return this.#committed.all(id);
    }).map(departedRow);
  }

  unreleased(): DepartedRow[] {
    return guarded(() => this.#select<[]>(`released = 0 ${ORDER}`).all()).map(departedRow);
  }

  /** Deleted objects (not mere replaced versions) that had one of these contents, or were folders at one of these paths. */
  deletedWith(contents: ReadonlySet<ContentHash>, folders: ReadonlySet<RepoPath>): DepartedRow[] {
    if (contents.size + folders.size === 0) return [];
    return guarded(() => {
      if (this.#db.prepare('SELECT 1 FROM departed LIMIT 1').get() === undefined) return [];
      const byContent = this.#select<[Buffer]>(`reason = 'deleted' AND blake3 = ? ${ORDER}`);
      const byPath = this.#select<[string]>(`reason = 'deleted' AND type = 'dir' AND path = ? ${ORDER}`);
      return [
        ...[...contents].flatMap((hash) => byContent.all(Buffer.from(hash, 'hex'))),
        ...[...folders].flatMap((path) => byPath.all(path)),
      ].map(departedRow);
    });
  }

  #select<V extends unknown[]>(where: string): Database.Statement<V, Stored> {
    return this.#db.prepare<V, Stored>(`SELECT ${COLUMNS} FROM departed WHERE ${where}`).raw().safeIntegers();
  }
}

/** Columns of a table can hold anything, whatever their types are. @throws IndexDamaged */
function departedRow(row: Stored): DepartedRow {
  try {
    return rowOf(row);
  } catch (error) {
    throw new IndexDamaged('a row of what left is damaged', error);
  }
}

function rowOf(row: Stored): DepartedRow {
  const [
    id,
    path,
    type,
    blake3,
    size,
    mtime,
    mode,
    target,
    record,
    inode,
    commit,
    time,
    reason,
    confirmed,
    released,
    seenMtime,
    seenMode,
    arrived,
  ] = row;
  return {
    id: id as ObjectId,
    path: path as RepoPath,
    type: type as EntryType,
    blake3: blake3 === null ? undefined : (blake3.toString('hex') as ContentHash),
    size: Number(size),
    mtimeNs: BigInt(mtime),
    mode: Number(mode),
    target: target ?? undefined,
    record: record.toString('hex') as GitId,
    inode: BigInt.asUintN(64, inode),
    commit: commit.toString('hex') as GitId,
    timeSec: Number(time),
    reason: reason as DepartedRow['reason'],
    confirmed: confirmed !== 0n,
    released: released !== 0n,
    ...(seenMtime !== null && { seen: { mtimeNs: BigInt(seenMtime), mode: Number(seenMode) } }),
    ...(arrived !== null && { arrivedSec: Number(arrived) }),
  };
}

function lackingColumns(db: Database.Database): (typeof ADDED)[number][] {
  const names = new Set(
    db.prepare<[], string>(`SELECT name FROM pragma_table_info('departed')`).pluck().all(),
  );
  return ADDED.filter(([name]) => !names.has(name));
}
