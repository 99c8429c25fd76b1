import fs from 'node:fs';
import type { GitId, KnownDirectory, RepoPath } from '@bk/core';
import Database from 'better-sqlite3';
import { decodeRow } from './row.ts';

/** An index as it lies there, looked at without mending or changing anything. */
export interface IndexInspection {
  /** Why SQLite cannot read it, if it cannot. */
  readonly broken?: string;
  readonly head?: GitId;
  /** See IndexDb. */
  readonly presence?: GitId;
  /** Paths of rows with hashes that were not committed yet whose checksum does not match. */
  readonly damagedPending: readonly RepoPath[];
}

/** Sees each row in the order of paths; undefined: its checksum does not match. */
export type OnRow = (path: RepoPath, known: KnownDirectory | undefined) => void;

/** @returns undefined if there is no index */
export function inspectIndex(file: string, onRow: OnRow): IndexInspection | undefined {
  if (!fs.existsSync(file)) return undefined;
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { fileMustExist: true, timeout: 10_000 });
    db.pragma('query_only = ON');
    const verdict = db.pragma('quick_check(1)', { simple: true });
    if (verdict !== 'ok') return broken(String(verdict));
    return read(db, onRow);
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (typeof code === 'string' && code.startsWith('SQLITE_')) return broken(message);
    throw error;
  } finally {
    db?.close();
  }
}

function read(db: Database.Database, onRow: OnRow): IndexInspection {
  const meta = db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck();
  const head = meta.get('head');
  const presence = meta.get('presence') ?? '';
  for (const [path, row] of all(db, 'directories')) onRow(path, decodeRow(row));
  const damagedPending: RepoPath[] = [];
  for (const [path, row] of all(db, 'pending')) if (decodeRow(row) === undefined) damagedPending.push(path);
  return {
    damagedPending,
    ...(head !== undefined && { head: head as GitId }),
    ...(presence !== '' && { presence: presence as GitId }),
  };
}

function all(db: Database.Database, table: 'directories' | 'pending'): IterableIterator<[RepoPath, Buffer]> {
  return db.prepare<[], [RepoPath, Buffer]>(`SELECT path, row FROM ${table} ORDER BY path`).raw().iterate();
}

function broken(why: string): IndexInspection {
  return { broken: why, damagedPending: [] };
}
