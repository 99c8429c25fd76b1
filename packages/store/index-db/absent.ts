import { hasAbsent, isWhollyAbsent, KIND, type KnownDirectory, PROTECTION, type RepoPath } from '@bk/core';
import type Database from 'better-sqlite3';
import { guarded } from './damage.ts';

/**
 * Folders whose rows have entries that are absent by design. It follows from the rows alone; kept beside them so that
 * nobody has to read them all: a full repository pays nothing, a partial one by the number of these folders.
 */
export class AbsentTable {
  /** `whole`: nothing of the folder is here; `files`: how many files and links of its own are not. */
  static readonly schema = `
    CREATE TABLE IF NOT EXISTS absent (
      path TEXT PRIMARY KEY, files INTEGER NOT NULL, whole INTEGER NOT NULL) WITHOUT ROWID;
  `;
  readonly #db: Database.Database;
  /** Whether there is any; undefined: not asked since the last write, which another process may have made. */
  #any: boolean | undefined;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  get any(): boolean {
    this.#any = guarded(() => this.#db.prepare('SELECT 1 FROM absent LIMIT 1').get() !== undefined);
    return this.#any;
  }

  /** Files and links that are not here. */
  get files(): number {
    return guarded(
      () => this.#db.prepare<[], number>('SELECT coalesce(sum(files), 0) FROM absent').pluck().get() ?? 0,
    );
  }

  /** Folders in which something is absent, at and below a path, in byte order. */
  folders(path: RepoPath): RepoPath[] {
    return this.#select(path, '');
  }

  /** Those of which something is here (and the root in any case): all else is below a folder that is absent as a whole. */
  partial(): RepoPath[] {
    return this.#select('' as RepoPath, `WHERE whole = 0 OR path = ''`);
  }

  /** Whether anything at or below a folder is absent. */
  has(path: RepoPath): boolean {
    if (path === '') return this.any;
    return guarded(
      () =>
        this.#db.prepare<string[]>(`SELECT 1 FROM absent ${BELOW} LIMIT 1`).get(path, path, path) !==
        undefined,
    );
  }

  /** Within a transaction of the index: the row of a folder was written. */
  put(path: RepoPath, known: KnownDirectory): void {
    if (!hasAbsent(known)) {
      this.remove(path);
      return;
    }
    this.#any = true;
    this.#db
      .prepare('INSERT OR REPLACE INTO absent VALUES (?, ?, ?)')
      .run(path, absentFiles(known), isWhollyAbsent(known) ? 1 : 0);
  }

  /** Within a transaction of the index: the row of a folder was removed, or has nothing absent any more. */
  remove(path: RepoPath): void {
    if (this.#any ?? this.any) this.#db.prepare('DELETE FROM absent WHERE path = ?').run(path);
  }

  #select(path: RepoPath, where: string): RepoPath[] {
    const within = path === '' ? where : BELOW;
    return guarded(() =>
      this.#db
        .prepare<string[], RepoPath>(`SELECT path FROM absent ${within} ORDER BY path`)
        .pluck()
        .all(...(path === '' ? [] : [path, path, path])),
    );
  }
}

const BELOW = `WHERE (path = ? OR (path > ? || '/' AND path < ? || '0'))`;

function absentFiles({ listing, protections }: KnownDirectory): number {
  let count = 0;
  for (let k = 1; k < protections.length; k++)
    if (protections[k] === PROTECTION.absent && listing.kinds[k] !== KIND.dir) count++;
  return count;
}
