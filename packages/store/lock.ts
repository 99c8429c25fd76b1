import fs from 'node:fs';
import { BkError } from '@bk/core';
import Database from 'better-sqlite3';

/** Held handles: a handle that only a local variable knew would be collected, and its lock with it. */
const held = new Set<Database.Database>();

export interface Lock {
  release(): void;
}

/**
 * One writer at a time: an exclusive SQLite transaction, which the kernel frees when the process dies, however it dies.
 * @param waitMs how long to wait for another writer; 0: do not
 * @returns undefined if another process has it
 */
export function tryLock(file: string, waitMs = 0): Lock | undefined {
  const db = new Database(file, { timeout: waitMs });
  try {
    db.pragma('journal_mode = DELETE');
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    const code = String((error as { code?: unknown }).code);
    if (code.startsWith('SQLITE_BUSY')) return undefined;
    if (code !== 'SQLITE_NOTADB') throw error;
    // The file's content is never used, only the kernel's lock on it; garbage in it cannot be locked, so it is replaced.
    fs.rmSync(file);
    return tryLock(file, waitMs);
  }
  held.add(db);
  return {
    release() {
      if (!held.delete(db)) return;
      db.exec('ROLLBACK');
      db.close();
    },
  };
}

/** @throws BkError `locked` if another bk writes in this repository */
export function lock(file: string, waitMs = 2_000): Lock {
  const taken = tryLock(file, waitMs);
  if (taken === undefined) {
    throw new BkError('locked', 'cannot write: another bk is working in this repository', {
      hint: 'wait until it is done, then give the same command again',
    });
  }
  return taken;
}
