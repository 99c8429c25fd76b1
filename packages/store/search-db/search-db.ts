import fs from 'node:fs';
import {
  BkError,
  type ContentHash,
  type DuplicateOf,
  fold,
  type GitId,
  matchesName,
  matchesPath,
  nameOf,
  type ObjectId,
  plainText,
  type Query,
  type Rec,
  type RepoPath,
} from '@bk/core';
import Database from 'better-sqlite3';
import {
  columnsOf,
  INDEX_NAMES,
  INDEXES,
  INSERT_FILE,
  INSERT_WORDS,
  idBytes,
  idOf,
  type Left,
  SCHEMA,
  type SearchEntry,
  WordColumns,
} from './columns.ts';
import { DELETED, DOMAINS, type Domain, planOf } from './plan.ts';

/** Of the tables and of what is put into them: with another one they are made anew. */
const FORMAT = '1';
const WAIT_MS = 1_000;
/** Bytes. */
const WORDS_AT_ONCE = 32 * 1024 * 1024;

/** A version of a file that SQLite found. */
export interface SearchRow {
  readonly path: RepoPath;
  readonly record: GitId;
  readonly type: 'file' | 'symlink';
  readonly id: ObjectId;
  readonly blake3: ContentHash;
  readonly size: number;
  /** The own record of the nearest folder around it that is an entity. */
  readonly entity: GitId | undefined;
  /** The commit that has this version no more; undefined: the head has it. */
  readonly leftIn: GitId | undefined;
  readonly deleted: boolean;
}

export interface Found {
  /** Made as they are asked for, once; nothing can be written meanwhile. */
  readonly rows: Iterable<SearchRow>;
  /** What each row has to be asked besides. */
  readonly rest: Query | undefined;
}

type Stored = [string, Buffer, string, Buffer, Buffer, number, Buffer | null, Buffer | null, number];

/**
 * Tables for `find`: a row for every file of the head, with indexes over what is selective and the words of its names
 * and texts (FTS5), and one for every version that left it, if that was asked for.
 *
 * A cache: whatever it says comes from the history as of the commit that it names, it can be removed at any time, and
 * is made anew if it is damaged or of another format. It is written in one transaction at a time, by whoever needs it;
 * killed in the middle of it, the tables are what they were.
 */
export class SearchDb {
  readonly #db: Database.Database;
  readonly #words = new WordColumns();
  #next = 1;
  #put: readonly [Database.Statement, Database.Statement] | undefined;
  #remove:
    | readonly [Database.Statement<[string], number>, Database.Statement, Database.Statement]
    | undefined;

  private constructor(db: Database.Database) {
    this.#db = db;
  }

  /**
   * Opens or makes the tables.
   * @param file '' for tables that nobody else sees and that go with the process
   * @throws as SQLite does; isDamage tells what discard helps against
   */
  static open(file: string): SearchDb {
    const db = new Database(file, { timeout: WAIT_MS });
    try {
      // One transaction may bring a million rows: with a rollback journal they are written once. A log would double them.
      db.pragma('journal_mode = DELETE');
      db.pragma('cache_size = -64000');
      db.pragma('temp_store = FILE');
      const isNew = db.prepare('SELECT 1 FROM sqlite_master').get() === undefined;
      if (isNew) {
        if (file !== '') fs.chmodSync(file, 0o600);
        db.transaction(() => makeTables(db)).immediate();
      }
      const format = db.prepare<[], string>(`SELECT value FROM meta WHERE key = 'format'`).pluck().get();
      if (format !== FORMAT) throw new SearchDamaged(`format ${format}`);
      defineFunctions(db);
      return new SearchDb(db);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  static discard(file: string): void {
    for (const suffix of ['', '-wal', '-shm', '-journal']) fs.rmSync(file + suffix, { force: true });
  }

  /** The commit whose tree the rows of the head are. */
  get head(): GitId | undefined {
    return this.#meta('head') as GitId | undefined;
  }

  /** The commit up to which what left the head is known; undefined: nothing of it. */
  get past(): GitId | undefined {
    return this.#meta('past') as GitId | undefined;
  }

  get files(): number {
    return this.#db.prepare<[], number>('SELECT count(*) FROM files').pluck().get()!;
  }

  /** From here to `commit` everything or nothing is changed. @throws SQLITE_BUSY: another process is changing it */
  begin(): void {
    this.#db.exec('BEGIN IMMEDIATE');
    this.#next = (this.#db.prepare<[], number | null>('SELECT max(n) FROM files').pluck().get() ?? 0) + 1;
  }

  commit(): void {
    this.#db.exec('COMMIT');
  }

  rollback(): void {
    if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
  }

  /** Forgets everything. What is put in next comes without indexes until they are made. */
  clear(): void {
    for (const name of INDEX_NAMES) this.#db.exec(`DROP INDEX IF EXISTS ${name}`);
    this.#db.exec(`DELETE FROM files; DELETE FROM unified; DELETE FROM meta WHERE key <> 'format'`);
    this.#db.exec(`INSERT INTO words(words) VALUES ('delete-all')`);
    this.#next = 1;
  }

  /** One after another as they are asked for, since each takes a while. */
  *makeIndexes(): Generator<void> {
    for (const text of INDEXES) yield void this.#db.exec(text.replace('INDEX', 'INDEX IF NOT EXISTS'));
    this.#db.pragma('analysis_limit = 1000');
    yield void this.#db.exec('ANALYZE');
  }

  put(entry: SearchEntry, left?: Left): void {
    this.#put ??= [this.#db.prepare(INSERT_FILE), this.#db.prepare(INSERT_WORDS)];
    const n = this.#next++;
    this.#put[0].run(...columnsOf(n, entry, left));
    this.#put[1].run(...this.#words.of(n, entry));
    if (left !== undefined) return;
    for (const id of entry.record.was ?? [])
      this.#db.prepare('INSERT OR IGNORE INTO unified VALUES (?)').run(idBytes(id));
  }

  /** Whether it is known already that this version left the path; if so it is known now to have left later. */
  leftAgain(path: RepoPath, record: GitId, left: Left): boolean {
    const { changes } = this.#db
      .prepare(
        'UPDATE files SET left_in = ?, left_order = ? WHERE path = ? AND record = ? AND left_in IS NOT NULL',
      )
      .run(Buffer.from(left.commit, 'hex'), left.order, path, Buffer.from(record, 'hex'));
    return changes > 0;
  }

  /** The head has nothing at this path any more. */
  remove(path: RepoPath): void {
    this.#remove ??= [
      this.#db.prepare<[string], number>('SELECT n FROM files WHERE path = ? AND left_in IS NULL').pluck(),
      this.#db.prepare('DELETE FROM words WHERE rowid = ?'),
      this.#db.prepare('DELETE FROM files WHERE n = ?'),
    ];
    const [find, ...deletions] = this.#remove;
    for (const n of find.all(path)) for (const deletion of deletions) deletion.run(n);
  }

  /** Paths of the head below a folder. */
  below(folder: RepoPath): RepoPath[] {
    return this.#db
      .prepare<[string, string], RepoPath>(
        `SELECT path FROM files WHERE left_in IS NULL AND path > ? || '/' AND path < ? || '0'`,
      )
      .pluck()
      .all(folder, folder);
  }

  /** The greatest number of a commit that something left in. */
  get lastOrder(): number {
    return this.#db.prepare<[], number | null>('SELECT max(left_order) FROM files').pluck().get() ?? 0;
  }

  stands(at: { readonly head?: GitId; readonly past?: GitId }): void {
    const set = this.#db.prepare<[string, string]>('INSERT OR REPLACE INTO meta VALUES (?, ?)');
    for (const [key, commit] of Object.entries(at)) set.run(key, commit);
  }

  /** All that fit and perhaps more, in byte order of their paths; of one path what the head has comes first. */
  find(query: Query, domain: Domain): Found {
    const { where, rest } = planOf(query);
    const statement = this.#db
      .prepare<unknown[], Stored>(
        `SELECT f.path, f.record, f.type, f.id, f.blake3, f.size, f.entity, f.left_in,
           ${domain === 'head' ? '0' : DELETED}
         FROM files f WHERE ${where.text} AND ${DOMAINS[domain]}
         ORDER BY +f.path, f.left_order IS NOT NULL, f.left_order DESC, f.n`,
      )
      .raw();
    return { rows: rowsOf(() => statement.iterate(...where.values)), rest };
  }

  /** Whether another file of the head has the same content, or the same media in it. */
  isDuplicate(of: DuplicateOf, record: Rec): boolean {
    const hash = of === 'exact' ? record.blake3 : record.hashes?.payload;
    if (hash === undefined || record.type !== 'file' || (of === 'exact' && record.size === 0)) return false;
    const column = of === 'exact' ? 'blake3' : 'payload';
    const other = this.#db.prepare(
      `SELECT 1 FROM files WHERE ${column} = ? AND left_in IS NULL AND type = 'file' AND coalesce(linked, id) <> ?`,
    );
    return other.get(Buffer.from(hash, 'hex'), idBytes(record.linked ?? record.id)) !== undefined;
  }

  close(): void {
    this.#db.close();
  }

  #meta(key: string): string | undefined {
    return this.#db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck().get(key);
  }
}

/** The tables are thrown away and made anew. */
export class SearchDamaged extends BkError {
  constructor(why: string) {
    super('damaged', `cannot use the tables for searching: ${why}`, {
      hint: 'they are made anew from the history when they are removed',
    });
  }
}

/** Whether discarding the tables helps. */
export function isSearchDamage(error: unknown): boolean {
  if (error instanceof SearchDamaged) return true;
  return /^SQLITE_(CORRUPT|NOTADB|SCHEMA|ERROR|FORMAT|MISMATCH|CONSTRAINT)/.test(
    String((error as { code?: unknown }).code),
  );
}

function makeTables(db: Database.Database): void {
  if (db.prepare('SELECT 1 FROM sqlite_master').get() !== undefined) return; // another process was first
  db.exec(SCHEMA);
  // Words of many rows at once are put together in memory before they are merged on the disk.
  db.exec(`INSERT INTO words (words, rank) VALUES ('hashsize', ${WORDS_AT_ONCE})`);
  for (const text of INDEXES) db.exec(text);
  db.prepare(`INSERT INTO meta VALUES ('format', ?)`).run(FORMAT);
}

function defineFunctions(db: Database.Database): void {
  const fits = (test: (pattern: string, text: string) => boolean, text: (path: RepoPath) => string) => {
    return (pattern: unknown, path: unknown): number =>
      test(String(pattern), fold(plainText(text(String(path) as RepoPath)))) ? 1 : 0;
  };
  db.function('name_fits', { deterministic: true }, fits(matchesName, nameOf));
  db.function(
    'path_fits',
    { deterministic: true },
    fits(matchesPath, (path) => path),
  );
}

/** The database is asked when the first row is. */
function* rowsOf(ask: () => Iterable<Stored>): Generator<SearchRow> {
  for (const row of ask()) yield rowOf(row);
}

function rowOf([path, record, type, id, blake3, size, entity, leftIn, deleted]: Stored): SearchRow {
  return {
    path: path as RepoPath,
    record: record.toString('hex') as GitId,
    type: type as SearchRow['type'],
    id: idOf(id),
    blake3: blake3.toString('hex') as ContentHash,
    size,
    entity: entity === null ? undefined : (entity.toString('hex') as GitId),
    leftIn: leftIn === null ? undefined : (leftIn.toString('hex') as GitId),
    deleted: deleted !== 0,
  };
}
