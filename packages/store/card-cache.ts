import fs from 'node:fs';
import type { FsPath, KnownDirectory } from '@bk/core';
import Database from 'better-sqlite3';
import { encodeRow } from './index-db/row.ts';

const FORMAT = '1';
const SCHEMA = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE cards (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, seen INTEGER NOT NULL);
  CREATE TABLE folders (card INTEGER NOT NULL, path TEXT NOT NULL, row BLOB NOT NULL, UNIQUE (card, path));
  INSERT INTO meta VALUES ('format', '${FORMAT}');
`;

/**
 * Hashes of files on cards and disks that are no part of this repository (`covered`), so that they are not read again
 * the next time: a file of its own in `.bk`, which may be removed at any time. One row a folder, in the index' format and
 * so with its rules: an entry is believed if name, size, mtime and ctime (where they are stable inode and birth time
 * too) are what they were and it was not *racy*. Only for cards that can be told from others.
 *
 * Nothing but speed depends on it: if it is damaged it is made anew, and if it cannot be written nothing is kept.
 */
export class CardCache {
  readonly #db: Database.Database;
  readonly #card: number;
  readonly #row: Database.Statement<[number, string], Buffer>;
  #writable = true;

  private constructor(db: Database.Database, card: string, nowMs: number) {
    this.#db = db;
    this.#card = db
      .prepare<[string, number], number>(
        'INSERT INTO cards (key, seen) VALUES (?, ?) ON CONFLICT DO UPDATE SET seen = excluded.seen RETURNING id',
      )
      .pluck()
      .get(card, Math.floor(nowMs))!;
    this.#row = db
      .prepare<[number, string], Buffer>('SELECT row FROM folders WHERE card = ? AND path = ?')
      .pluck();
  }

  /**
   * @param card names the card; a card of another name has other hashes
   * @returns undefined if nothing can be kept here (a read-only disk, another process writing for long)
   */
  static open(file: string, card: string, nowMs: number): CardCache | undefined {
    try {
      return CardCache.#open(file, card, nowMs);
    } catch (error) {
      if (!isOfSqlite(error)) throw error;
      if (!DAMAGE.test(String((error as { code: string }).code))) return undefined;
    }
    CardCache.discard(file);
    try {
      return CardCache.#open(file, card, nowMs);
    } catch (error) {
      if (!isOfSqlite(error)) throw error;
      return undefined;
    }
  }

  static #open(file: string, card: string, nowMs: number): CardCache {
    const db = new Database(file, { timeout: 5_000 });
    try {
      if (file !== ':memory:') fs.chmodSync(file, 0o600);
      db.pragma('journal_mode = WAL');
      db.pragma('synchronous = OFF');
      if (db.prepare('SELECT 1 FROM sqlite_master').get() === undefined)
        db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
      const format = db.prepare<[], string>(`SELECT value FROM meta WHERE key = 'format'`).pluck().get();
      if (format !== FORMAT) db.exec(`DROP TABLE other_format`); // fails as SQLITE_ERROR: made anew
      return new CardCache(db, card, nowMs);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  static discard(file: string): void {
    for (const suffix of ['', '-wal', '-shm', '-journal']) fs.rmSync(file + suffix, { force: true });
  }

  /** How many folders of the card are known; a hint for sizing work. */
  get folders(): number {
    return (
      this.#try(() =>
        this.#db
          .prepare<[number], number>('SELECT count(*) FROM folders WHERE card = ?')
          .pluck()
          .get(this.#card),
      ) ?? 0
    );
  }

  /** The packed row of a folder, for decodeRow (which finds out whether it is damaged). */
  row(folder: FsPath): Buffer | undefined {
    return this.#try(() => this.#row.get(this.#card, folder));
  }

  /** All of them or, if the process dies, none. */
  keep(folders: Iterable<readonly [FsPath, KnownDirectory]>): void {
    if (!this.#writable) return;
    this.#try(() =>
      this.#db.transaction(() => {
        const put = this.#db.prepare<[number, string, Buffer]>(
          'INSERT OR REPLACE INTO folders VALUES (?, ?, ?)',
        );
        for (const [folder, known] of folders) put.run(this.#card, folder, encodeRow(known));
      })(),
    );
  }

  /** Forgets folders at and below one that were not seen in it now. */
  forgetOthers(below: FsPath, seen: { has(folder: FsPath): boolean }): void {
    this.#try(() =>
      this.#db.transaction(() => {
        const all = this.#db
          .prepare<[number], FsPath>('SELECT path FROM folders WHERE card = ?')
          .pluck()
          .all(this.#card);
        const forget = this.#db.prepare<[number, string]>('DELETE FROM folders WHERE card = ? AND path = ?');
        for (const folder of all)
          if (isAtOrBelow(folder, below) && !seen.has(folder)) forget.run(this.#card, folder);
      })(),
    );
  }

  /** Forgets cards that were not looked at since (ms since 1970). */
  prune(beforeMs: number): void {
    this.#try(() =>
      this.#db.transaction(() => {
        const old = 'SELECT id FROM cards WHERE seen < ?';
        this.#db.prepare<[number]>(`DELETE FROM folders WHERE card IN (${old})`).run(Math.floor(beforeMs));
        this.#db.prepare<[number]>('DELETE FROM cards WHERE seen < ?').run(Math.floor(beforeMs));
      })(),
    );
  }

  close(): void {
    this.#db.close();
  }

  /** After SQLite failed once nothing more is kept: what is not known is read. */
  #try<T>(work: () => T): T | undefined {
    if (!this.#writable) return undefined;
    try {
      return work();
    } catch (error) {
      if (!isOfSqlite(error)) throw error;
      this.#writable = false;
      return undefined;
    }
  }
}

const DAMAGE = /^SQLITE_(CORRUPT|NOTADB|SCHEMA|ERROR|FORMAT|MISMATCH|CONSTRAINT)/;

function isOfSqlite(error: unknown): boolean {
  return String((error as { code?: unknown }).code).startsWith('SQLITE_');
}

function isAtOrBelow(folder: string, other: string): boolean {
  return other === '' || folder === other || folder.startsWith(`${other}/`);
}
