import fs from 'node:fs';
import {
  type ContentFacts,
  type ContentHash,
  type GitId,
  HASH_BYTES,
  type KnownDirectory,
  type ObjectId,
  PROTECTION,
  type RepoPath,
  STAT,
  STAT_WIDTH,
  timeNs,
} from '@bk/core';
import Database from 'better-sqlite3';
import { AbsentTable } from './absent.ts';
import { asDamage, guarded, IndexDamaged } from './damage.ts';
import { type DepartedRow, DepartedTable } from './departed.ts';
import { decodeRow, encodeRow } from './row.ts';

const FORMAT = 1;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS directories (path TEXT NOT NULL UNIQUE, row BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS pending (path TEXT NOT NULL UNIQUE, row BLOB NOT NULL);
`;

const PENDING_FACTS = `CREATE TABLE IF NOT EXISTS pending_facts (hash TEXT NOT NULL PRIMARY KEY, facts TEXT NOT NULL) WITHOUT ROWID`;

export interface IndexUpdate {
  /** The commit that the rows mirror from now on. */
  readonly head?: GitId | undefined;
  /** The commit of this repository's own presence that says of what is absent what the rows say; null: none does. */
  readonly presence?: GitId | null | undefined;
  readonly put?: Iterable<readonly [RepoPath, KnownDirectory]>;
  readonly remove?: Iterable<RepoPath>;
  /** Hashes made but not committed yet. */
  readonly pending?: Iterable<readonly [RepoPath, KnownDirectory]>;
  /** What contents among these say of themselves. */
  readonly pendingFacts?: Iterable<readonly [ContentHash, ContentFacts]>;
  readonly clearPending?: boolean;
  readonly files?: number;
  readonly departed?: Iterable<DepartedRow>;
  /** It is on the disk when `write` returns; else the index may be an earlier one after a loss of power. */
  readonly durable?: boolean;
  /** Objects that are back, as they were. */
  readonly returned?: Iterable<ObjectId>;
  /** Versions that are to be listed no more. */
  readonly withdrawn?: readonly DepartedRow[];
}

/** A file that has a content: its inode when it was last seen (0n: not known) and its mtime. */
export interface ContentOwner {
  readonly inode: bigint;
  readonly mtimeNs: bigint;
}

/**
 * The index: what was last seen on disk, one row a directory, plus the list of what left the head.
 * A cache: it can be deleted at any time, and is never evidence that something was deleted.
 */
export class IndexDb {
  readonly departed: DepartedTable;
  /** Which folders have entries that are absent by design: kept with the rows, so that a full repository pays nothing. */
  readonly absent: AbsentTable;
  readonly #db: Database.Database;
  readonly #row: Database.Statement<[string], Buffer>;
  readonly #pending: Database.Statement<[string], Buffer>;
  /** Whether there is no row at all; undefined: not asked since the last write. */
  #empty: boolean | undefined;

  private constructor(db: Database.Database) {
    this.#db = db;
    this.#row = db.prepare<[string], Buffer>('SELECT row FROM directories WHERE path = ?').pluck();
    this.#pending = db.prepare<[string], Buffer>('SELECT row FROM pending WHERE path = ?').pluck();
    this.departed = new DepartedTable(db);
    this.absent = new AbsentTable(db);
  }

  /** Opens or makes the index. @throws IndexDamaged if SQLite cannot read it or another bk wrote it */
  static open(file: string): IndexDb {
    return guarded(() => {
      refuseUnwritable(file);
      const db = new Database(file, { timeout: 10_000 });
      try {
        if (file !== ':memory:') fs.chmodSync(file, 0o600);
        db.pragma('journal_mode = WAL');
        db.pragma('synchronous = NORMAL');
        db.pragma('cache_size = -16000');
        const tables = db.prepare(`SELECT count(*) FROM sqlite_master`).pluck().get();
        if (tables === 0)
          db.exec(
            `BEGIN IMMEDIATE; ${SCHEMA} ${DepartedTable.schema} INSERT OR IGNORE INTO meta VALUES ('format', '${FORMAT}'); COMMIT`,
          );
        const format = db.prepare<[], string>(`SELECT value FROM meta WHERE key = 'format'`).pluck().get();
        if (format !== String(FORMAT)) throw new IndexDamaged(`index format ${format}`);
        db.exec(AbsentTable.schema); // indexes of earlier versions have none
        db.exec(PENDING_FACTS);
        DepartedTable.migrate(db);
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

  /** The commit of the own presence that was known when flags of absence were written last. */
  get presence(): GitId | undefined {
    return (this.#meta('presence') || undefined) as GitId | undefined;
  }

  /** How many files the rows name; a hint for sizing work, not evidence. */
  get files(): number {
    return Number(this.#meta('files') ?? 0);
  }

  /** How many of these are here, as far as the index knows. */
  get presentFiles(): number {
    return this.files - this.absent.files;
  }

  /** The packed row of a directory, to be handed to a scan. */
  row(path: RepoPath): Buffer | undefined {
    this.#empty ??= guarded(() => this.#db.prepare('SELECT 1 FROM directories LIMIT 1').get() === undefined);
    return this.#empty ? undefined : guarded(() => this.#row.get(path));
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

  /** What a content said of itself that was read for a commit which is not there yet. */
  pendingFacts(hash: ContentHash): ContentFacts | undefined {
    const text = guarded(() =>
      this.#db.prepare<[string], string>('SELECT facts FROM pending_facts WHERE hash = ?').pluck().get(hash),
    );
    try {
      return text === undefined ? undefined : (JSON.parse(text) as ContentFacts);
    } catch {
      throw new IndexDamaged(`the facts of ${hash} are damaged`);
    }
  }

  /** Every directory that has a row. */
  paths(): RepoPath[] {
    return guarded(() => this.#db.prepare<[], RepoPath>('SELECT path FROM directories').pluck().all());
  }

  /** All directories at and below a path, in byte order of their paths. */
  *below(path: RepoPath): Generator<[RepoPath, KnownDirectory]> {
    const within = path === '' ? '' : `WHERE path = ? OR (path > ? || '/' AND path < ? || '0')`;
    const rows = guarded(() =>
      this.#db
        .prepare<string[], [RepoPath, Buffer]>(`SELECT path, row FROM directories ${within} ORDER BY path`)
        .raw()
        .iterate(...(path === '' ? [] : [path, path, path])),
    );
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
    this.#empty = undefined;
    guarded(() => {
      if (update.durable) this.#db.pragma('synchronous = FULL');
      try {
        this.#db.transaction(() => this.#write(update))();
      } finally {
        if (update.durable) this.#db.pragma('synchronous = NORMAL');
      }
    });
  }

  #write(update: IndexUpdate): void {
    const db = this.#db;
    const remove = db.prepare<[string]>('DELETE FROM directories WHERE path = ?');
    for (const path of update.remove ?? []) {
      remove.run(path);
      this.absent.remove(path);
    }
    const put = db.prepare<[string, Buffer]>('INSERT OR REPLACE INTO directories VALUES (?, ?)');
    for (const [path, known] of update.put ?? []) {
      put.run(path, encodeRow(known));
      this.absent.put(path, known);
    }
    if (update.clearPending) db.exec('DELETE FROM pending; DELETE FROM pending_facts');
    const wait = db.prepare<[string, Buffer]>('INSERT OR REPLACE INTO pending VALUES (?, ?)');
    for (const [path, known] of update.pending ?? []) wait.run(path, encodeRow(known));
    this.#keepFacts(update.pendingFacts ?? []);
    for (const id of update.returned ?? []) this.departed.forget(id);
    this.departed.remove(update.withdrawn ?? []);
    for (const row of update.departed ?? []) this.departed.add(row);
    const set = db.prepare<[string, string]>('INSERT OR REPLACE INTO meta VALUES (?, ?)');
    if (update.head !== undefined) set.run('head', update.head);
    if (update.presence !== undefined) set.run('presence', update.presence ?? '');
    if (update.files !== undefined) set.run('files', String(update.files));
  }

  #keepFacts(facts: Iterable<readonly [ContentHash, ContentFacts]>): void {
    const keep = this.#db.prepare<[string, string]>('INSERT OR REPLACE INTO pending_facts VALUES (?, ?)');
    for (const [hash, one] of facts) keep.run(hash, JSON.stringify(one));
  }

  /** Contents among the wanted ones that files of the head have which are here: one pass over all rows. */
  living(wanted: ReadonlySet<ContentHash>): Set<ContentHash> {
    return new Set(this.owners(wanted).keys());
  }

  /** Which files of the head that are here have one of the wanted contents: one pass over all rows. */
  owners(wanted: ReadonlySet<ContentHash>): Map<ContentHash, ContentOwner[]> {
    const found = new Map<ContentHash, ContentOwner[]>();
    if (wanted.size === 0) return found;
    const first = new Set([...wanted].map((hash) => Number.parseInt(hash.slice(0, 8), 16)));
    for (const [, { listing, hashes, protections }] of this.below('' as RepoPath)) {
      const column = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength);
      for (let k = 1; k < listing.names.length; k++) {
        if (protections[k] === PROTECTION.absent || !first.has(column.readUInt32BE(k * HASH_BYTES))) continue;
        const hash = column.toString('hex', k * HASH_BYTES, (k + 1) * HASH_BYTES) as ContentHash;
        if (!wanted.has(hash)) continue;
        const owner = {
          inode: BigInt.asUintN(64, listing.stats[k * STAT_WIDTH + STAT.inode]!),
          mtimeNs: timeNs(listing.stats[k * STAT_WIDTH + STAT.mtime]!),
        };
        const owners = found.get(hash);
        if (owners === undefined) found.set(hash, [owner]);
        else owners.push(owner);
      }
    }
    return found;
  }

  close(): void {
    this.#db.close();
  }

  #meta(key: string): string | undefined {
    return guarded(() =>
      this.#db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck().get(key),
    );
  }
}

/**
 * A version for writing that SQLite does not know makes it take the file as read-only (its file format, offset 18), which
 * it would say at the first write: no index of bk's has one. @throws IndexDamaged
 */
function refuseUnwritable(file: string): void {
  // What is no file is left to SQLite, which says why it cannot be opened.
  if (file === ':memory:' || !fs.statSync(file, { throwIfNoEntry: false })?.isFile()) return;
  const fd = fs.openSync(file, fs.constants.O_RDONLY);
  try {
    const version = Buffer.alloc(1);
    if (fs.readSync(fd, version, 0, 1, 18) === 1 && version[0]! > 2)
      throw new IndexDamaged(`version ${version[0]} of its file format`);
  } finally {
    fs.closeSync(fd);
  }
}
