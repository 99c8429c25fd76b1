import fs from 'node:fs';
import { BkError, type ContentHash, type GitId, type KnownDirectory, type ObjectId, type RepoPath } from '@bk/core';
import Database from 'better-sqlite3';
import { type DepartedRow, DepartedTable } from './departed.ts';
import { decodeRow, encodeRow } from './row.ts';

/** Raised while the index cannot be used; the caller throws it away and rebuilds it, never decides by it. */
export class IndexDamaged extends Error {}

const FORMAT = 1;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS directories (path TEXT NOT NULL UNIQUE, row BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS pending (path TEXT NOT NULL UNIQUE, row BLOB NOT NULL);
`;

export interface IndexUpdate {
  /** The commit that the rows mirror from now on. */
  readonly head?: GitId | undefined;
  readonly put?: Iterable<readonly [RepoPath, KnownDirectory]>;
  readonly remove?: Iterable<RepoPath>;
  /** Hashes made but not committed yet. */
  readonly pending?: Iterable<readonly [RepoPath, KnownDirectory]>;
  readonly clearPending?: boolean;
  readonly files?: number;
  readonly departed?: Iterable<DepartedRow>;
  /** Objects that are back. */
  readonly returned?: Iterable<ObjectId>;
}

/**
 * The index: what was last seen on disk, one row a directory, plus the list of what left the head.
 * A cache: it can be deleted at any time, and is never evidence that something was deleted.
 */
export class IndexDb {
  readonly departed: DepartedTable;
  readonly #db: Database.Database;
  readonly #row: Database.Statement<[string], Buffer>;
  readonly #pending: Database.Statement<[string], Buffer>;

  private constructor(db: Database.Database) {
    this.#db = db;
    this.#row = db.prepare<[string], Buffer>('SELECT row FROM directories WHERE path = ?').pluck();
    this.#pending = db.prepare<[string], Buffer>('SELECT row FROM pending WHERE path = ?').pluck();
    this.departed = new DepartedTable(db);
  }

  /** Opens or makes the index. @throws IndexDamaged if SQLite cannot read it or another bk wrote it */
  static open(file: string): IndexDb {
    return guarded(() => {
      const db = new Database(file, { timeout: 10_000 });
      try {
        if (file !== ':memory:') fs.chmodSync(file, 0o600);
        db.pragma('journal_mode = WAL');
        db.pragma('synchronous = NORMAL');
        db.pragma('cache_size = -16000');
        const tables = db.prepare(`SELECT count(*) FROM sqlite_master`).pluck().get();
        if (tables === 0) db.exec(`BEGIN IMMEDIATE; ${SCHEMA} ${DepartedTable.schema} INSERT OR IGNORE INTO meta VALUES ('format', '${FORMAT}'); COMMIT`);
        const format = db.prepare<[], string>(`SELECT value FROM meta WHERE key = 'format'`).pluck().get();
        if (format !== String(FORMAT)) throw new IndexDamaged(`index format ${format}`);
        return new IndexDb(db);
      } catch (error) {
        db.close();
        throw error;
      }
    });
  }

  /** Removes the index and what SQLite keeps beside it. Only the holder of the repository's lock may. */
  static discard(file: string): void {
    for (const suffix of ['', '-wal', '-shm', '-journal']) fs.rmSync(file + suffix, { force: true });
  }

  /** The commit whose tree the rows mirror. */
  get head(): GitId | undefined {
    return this.#meta('head') as GitId | undefined;
  }

  /** How many files the rows name; a hint for sizing work, not evidence. */
  get files(): number {
    return Number(this.#meta('files') ?? 0);
  }

  /** The packed row of a directory, to be handed to a scan. */
  row(path: RepoPath): Buffer | undefined {
    return guarded(() => this.#row.get(path));
  }

  /** What is known of a directory. @throws IndexDamaged if its row is there but damaged */
  known(path: RepoPath): KnownDirectory | undefined {
    const row = this.row(path);
    if (row === undefined) return undefined;
    const known = decodeRow(row);
    if (known === undefined) throw new IndexDamaged(`the row of "${path}" is damaged`);
    return known;
  }

  hasPending(): boolean {
    return guarded(() => this.#db.prepare('SELECT 1 FROM pending LIMIT 1').get() !== undefined);
  }

  /** Hashes that were made for this directory's entries and not committed yet. */
  pending(path: RepoPath): KnownDirectory | undefined {
    const row = guarded(() => this.#pending.get(path));
    return row === undefined ? undefined : decodeRow(row);
  }

  /** Every directory that has a row. */
  paths(): RepoPath[] {
    return guarded(() => this.#db.prepare<[], RepoPath>('SELECT path FROM directories').pluck().all());
  }

  /** All directories at and below a path, in byte order of their paths. */
  *below(path: RepoPath): Generator<[RepoPath, KnownDirectory]> {
    const statement = this.#db
      .prepare<string[], [RepoPath, Buffer]>(
        path === ''
          ? 'SELECT path, row FROM directories ORDER BY path'
          : `SELECT path, row FROM directories WHERE path = ? OR (path > ? || '/' AND path < ? || '0') ORDER BY path`,
      )
      .raw();
    const rows = guarded(() => statement.iterate(...(path === '' ? [] : [path, path, path])));
    try {
      for (const [name, row] of rows) {
        const known = decodeRow(row);
        if (known === undefined) throw new IndexDamaged(`the row of "${name}" is damaged`);
        yield [name, known];
      }
    } catch (error) {
      throw asDamage(error);
    }
  }

  /** One transaction: after it the index says all of this, or none of it if the process dies. */
  write(update: IndexUpdate): void {
    const db = this.#db;
    guarded(() =>
      db.transaction(() => {
        const remove = db.prepare<[string]>('DELETE FROM directories WHERE path = ?');
        for (const path of update.remove ?? []) remove.run(path);
        const put = db.prepare<[string, Buffer]>('INSERT OR REPLACE INTO directories VALUES (?, ?)');
        for (const [path, known] of update.put ?? []) put.run(path, encodeRow(known));
        if (update.clearPending) db.exec('DELETE FROM pending');
        const wait = db.prepare<[string, Buffer]>('INSERT OR REPLACE INTO pending VALUES (?, ?)');
        for (const [path, known] of update.pending ?? []) wait.run(path, encodeRow(known));
        for (const id of update.returned ?? []) this.departed.forget(id);
        for (const row of update.departed ?? []) this.departed.add(row);
        const set = db.prepare<[string, string]>('INSERT OR REPLACE INTO meta VALUES (?, ?)');
        if (update.head !== undefined) set.run('head', update.head);
        if (update.files !== undefined) set.run('files', String(update.files));
      })(),
    );
  }

  /** Contents among the wanted ones that the head still has: one pass over all rows. */
  living(wanted: ReadonlySet<ContentHash>): Set<ContentHash> {
    const found = new Set<ContentHash>();
    if (wanted.size === 0) return found;
    for (const [, known] of this.below('' as RepoPath)) {
      const hashes = Buffer.from(known.hashes.buffer, known.hashes.byteOffset, known.hashes.byteLength);
      for (let at = 0; at < hashes.length; at += 32) {
        const hash = hashes.toString('hex', at, at + 32) as ContentHash;
        if (wanted.has(hash)) found.add(hash);
      }
    }
    return found;
  }

  close(): void {
    this.#db.close();
  }

  #meta(key: string): string | undefined {
    return guarded(() => this.#db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck().get(key));
  }
}

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asDamage(error);
  }
}

const DAMAGE = /^SQLITE_(CORRUPT|NOTADB|SCHEMA|ERROR|FORMAT|MISMATCH|CONSTRAINT)/;

function asDamage(error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  if (typeof code !== 'string') return error;
  if (DAMAGE.test(code)) return new IndexDamaged((error as Error).message, { cause: error });
  if (code.startsWith('SQLITE_FULL')) {
    return new BkError('no-space', 'cannot write the index: no space left', { hint: 'free some space, then give the same command again', cause: error });
  }
  if (code.startsWith('SQLITE_BUSY')) {
    return new BkError('locked', 'cannot use the index: another bk is writing it', { hint: 'wait until it is done', cause: error });
  }
  return code.startsWith('SQLITE_') ? new BkError('io', `cannot use the index: ${(error as Error).message}`, { cause: error }) : error;
}
