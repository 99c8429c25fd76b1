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
 * @throws BkError `io` if the lock file cannot be used
 */
export function tryLock(file: string, waitMs = 0): Lock | undefined {
  return attempt(file, waitMs) ?? undefined;
}

/** @returns null if another process has it */
function attempt(file: string, waitMs: number, emptied = false): Lock | null {
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { timeout: waitMs });
    // An exclusive transaction on an empty file begins with its first page: a journal on disk would outlive a kill.
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
    // Left by a killed bk that still made one. Only who has the lock could be using it.
    fs.rmSync(`${file}-journal`, { force: true });
    return holding(db);
  } catch (error) {
    db?.close();
    const code = String((error as { code?: unknown }).code);
    if (code.startsWith('SQLITE_BUSY')) return null;
    if (emptied || !GARBAGE.test(code)) throw unusable(file, error);
  }
  // The file's content is never used, only the kernel's lock on it; garbage cannot be locked. It is emptied, not
  // replaced: two that find it at the same time must end up with locks on one and the same inode.
  fs.truncateSync(file, 0);
  return attempt(file, waitMs, true);
}

const GARBAGE = /^SQLITE_(NOTADB|CORRUPT)/;

function holding(db: Database.Database): Lock {
  held.add(db);
  return {
    release() {
      if (!held.delete(db)) return;
      db.exec('ROLLBACK');
      db.close();
    },
  };
}

function unusable(file: string, cause: unknown): unknown {
  if (!String((cause as { code?: unknown }).code).startsWith('SQLITE_')) return cause;
  return new BkError('io', `cannot lock ${file}: ${(cause as Error).message}`, {
    hint: 'look whether .bk can be written and its disk is healthy',
    path: file,
    cause,
  });
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
