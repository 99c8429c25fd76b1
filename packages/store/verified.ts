import fs from 'node:fs';
import { BkError, type ContentHash } from '@bk/core';
import Database from 'better-sqlite3';

/** That a file held its content when it was read again. */
export interface Verified {
  /** 16 bytes of the object id. */
  readonly id: Uint8Array;
  /** 32 bytes. */
  readonly blake3: Uint8Array;
  /** ms since 1970. */
  readonly timeMs: number;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS verified (id BLOB PRIMARY KEY, blake3 BLOB NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS verify_pass (key TEXT PRIMARY KEY, started INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS rotten (blake3 BLOB PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS verified_oldest (one INTEGER PRIMARY KEY CHECK (one = 1), time INTEGER NOT NULL);
`;

/**
 * When each object's content was last read again and found good: tables of its own in the index' file, through a
 * connection of its own, since a verification runs for hours and must not keep others from committing. Like all of the
 * index it may be lost; then everything counts as never verified.
 */
export class VerifiedTimes {
  readonly #db: Database.Database;
  readonly #get: Database.Statement<[Uint8Array, Uint8Array], number>;

  private constructor(db: Database.Database) {
    this.#db = db;
    this.#get = db
      .prepare<[Uint8Array, Uint8Array], number>('SELECT time FROM verified WHERE id = ? AND blake3 = ?')
      .pluck();
  }

  /** @param file the index, which must have been opened by IndexDb before */
  static open(file: string): VerifiedTimes {
    return guarded(() => {
      const db = new Database(file, { fileMustExist: true, timeout: 10_000 });
      try {
        db.pragma('synchronous = NORMAL');
        db.exec(SCHEMA);
        return new VerifiedTimes(db);
      } catch (error) {
        db.close();
        throw error;
      }
    });
  }

  /** The oldest verification of all contents, as `setOldest` had it: ms since 1970; for any reader, also on a read-only disk. */
  static oldestIn(file: string): number | undefined {
    if (!fs.existsSync(file)) return undefined;
    return readTable(file, 'verified_oldest', (db) =>
      db.prepare<[], number>('SELECT time FROM verified_oldest').pluck().get(),
    );
  }

  /** Contents of which a file here was found to be rotten or not readable: no stat vouches for any of their files. For any reader. */
  static rottenIn(file: string): ReadonlySet<ContentHash> {
    if (!fs.existsSync(file)) return new Set();
    const hashes = readTable(file, 'rotten', (db) =>
      db.prepare<[], Buffer>('SELECT blake3 FROM rotten').pluck().all(),
    );
    return new Set(hashes?.map((blake3) => blake3.toString('hex') as ContentHash));
  }

  /** They stay so until a run over everything is done: a good file elsewhere does not heal the bad one. */
  addRotten(contents: Iterable<ContentHash>): void {
    guarded(() =>
      this.#db.transaction(() => {
        const put = this.#db.prepare<[Uint8Array]>('INSERT OR IGNORE INTO rotten VALUES (?)');
        for (const blake3 of contents) put.run(Buffer.from(blake3, 'hex'));
      })(),
    );
  }

  /** After everything was read: these are all. */
  setRotten(contents: Iterable<ContentHash>): void {
    guarded(() =>
      this.#db.transaction(() => {
        this.#db.exec('DELETE FROM rotten');
        this.addRotten(contents);
      })(),
    );
  }

  /** @param timeMs undefined: some were never verified */
  setOldest(timeMs: number | undefined): void {
    guarded(() =>
      this.#db.transaction(() => {
        this.#db.exec('DELETE FROM verified_oldest');
        if (timeMs !== undefined)
          this.#db.prepare<[number]>('INSERT INTO verified_oldest VALUES (1, ?)').run(Math.floor(timeMs));
      })(),
    );
  }

  /** ms since 1970 of the last verification of this content of this object; undefined: never. */
  timeOf(id: Uint8Array, blake3: Uint8Array): number | undefined {
    return guarded(() => this.#get.get(id, blake3));
  }

  /** All of them or, if the process dies, none. */
  add(verified: Iterable<Verified>): void {
    guarded(() =>
      this.#db.transaction(() => {
        const put = this.#db.prepare<[Uint8Array, Uint8Array, number]>(
          'INSERT OR REPLACE INTO verified VALUES (?, ?, ?)',
        );
        for (const { id, blake3, timeMs } of verified) put.run(id, blake3, Math.floor(timeMs));
      })(),
    );
  }

  /**
   * When a pass that was not ended began; begins one if there is none, or none since `oldestMs`. All in ms since 1970.
   * @param key says what is verified
   */
  beginPass(key: string, nowMs: number, oldestMs: number): number {
    return guarded(() => {
      const now = Math.floor(nowMs);
      this.#db
        .prepare<[string, number, number]>(
          'DELETE FROM verify_pass WHERE key = ? AND started NOT BETWEEN ? AND ?',
        )
        .run(key, Math.floor(oldestMs), now);
      this.#db.prepare<[string, number]>('INSERT OR IGNORE INTO verify_pass VALUES (?, ?)').run(key, now);
      return (
        this.#db
          .prepare<[string], number>('SELECT started FROM verify_pass WHERE key = ?')
          .pluck()
          .get(key) ?? now
      );
    });
  }

  endPass(key: string): void {
    guarded(() => this.#db.prepare<[string]>('DELETE FROM verify_pass WHERE key = ?').run(key));
  }

  close(): void {
    this.#db.close();
  }
}

/** Undefined: there is no such table yet. */
function readTable<T>(file: string, table: string, read: (db: Database.Database) => T): T | undefined {
  return guarded(() => {
    const db = new Database(file, { readonly: true, timeout: 10_000 });
    try {
      const known = db.prepare<[string]>('SELECT 1 FROM sqlite_master WHERE name = ?').get(table);
      return known === undefined ? undefined : read(db);
    } finally {
      db.close();
    }
  });
}

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    if (!code.startsWith('SQLITE_')) throw error;
    const full = code.startsWith('SQLITE_FULL');
    throw new BkError(
      full ? 'no-space' : 'io',
      `cannot keep verification times: ${(error as Error).message}`,
      {
        hint: full ? 'free some space, then give the same command again' : 'run `bk reindex`',
        cause: error,
      },
    );
  }
}
