import { BkError } from '@bk/core';

/** Raised while the index cannot be used; the caller throws it away and rebuilds it, never decides by it. */
export class IndexDamaged extends BkError {
  constructor(why: string, cause?: unknown) {
    super('damaged', `cannot use the index: ${why}`, {
      hint: 'run `bk reindex`: the index can always be made anew',
      ...(cause !== undefined && { cause }),
    });
  }
}

/** What SQLite says of the index, as IndexDamaged or as a BkError that tells what to do. */
export function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asDamage(error);
  }
}

const DAMAGE = /^SQLITE_(CORRUPT|NOTADB|SCHEMA|ERROR|FORMAT|MISMATCH|CONSTRAINT)/;
const GROWS = /^SQLITE_IOERR_(WRITE|FSYNC|DIR_FSYNC|TRUNCATE|SHMSIZE|SHMMAP|SHMOPEN)$/;

export function asDamage(error: unknown): unknown {
  const code = (error as { code?: unknown }).code;
  if (error instanceof BkError || typeof code !== 'string' || !code.startsWith('SQLITE_')) return error;
  const { message } = error as Error;
  if (DAMAGE.test(code)) return new IndexDamaged(message, error);
  if (code.startsWith('SQLITE_FULL')) {
    return new BkError('no-space', 'cannot write the index: no space left', {
      hint: 'free some space, then give the same command again',
      cause: error,
    });
  }
  if (code.startsWith('SQLITE_BUSY')) {
    return new BkError('locked', 'cannot use the index: another bk is writing it', {
      hint: 'wait until it is done',
      cause: error,
    });
  }
  return new BkError('io', `cannot use the index: ${message}`, {
    // A full disk is told like a failing one where SQLite's own files could not grow.
    hint: GROWS.test(code)
      ? 'free some space if the disk is full, then give the same command again; else the disk may be failing'
      : 'look whether .bk can be written and its disk is healthy',
    cause: error,
  });
}
