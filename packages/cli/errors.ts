import { getSystemErrorMap, inspect } from 'node:util';
import { BkError, type ErrorCode, EXIT_CODES } from '@bk/core';
import { OutputClosed, writeErr } from './output.ts';
import { type Style, safeLines } from './terminal.ts';

/** What an exception means to the person who gave the command. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly path: string | undefined;
  readonly exit: number;
}

/**
 * Says on stderr what went wrong, in words and with --json also as one JSON line, which is the last.
 * @returns the exit code
 */
export function reportError(
  error: unknown,
  options: { readonly json: boolean; readonly style: Style },
): number {
  if (error instanceof OutputClosed) return 0;
  const failure = failureOf(error);
  const { style } = options;
  writeErr(`${style('red', 'bk:')} ${safeLines(failure.message)}\n`);
  if (failure.hint !== undefined) writeErr(`${style('bold', 'hint:')} ${safeLines(failure.hint)}\n`);
  if (process.env['BK_DEBUG'] === '1') writeErr(`${inspect(error)}\n`);
  if (options.json) writeErr(`${JSON.stringify({ error: forPrograms(failure) })}\n`);
  return failure.exit;
}

export function failureOf(error: unknown): Failure {
  const known = error instanceof BkError ? error : (fromSystem(error) ?? fromSqlite(error) ?? bug(error));
  const { code, message, hint, path } = known;
  return { code, message, hint, path, exit: EXIT_CODES[code] };
}

function forPrograms({ code, message, hint, path }: Failure): object {
  return { code, message, ...(hint !== undefined && { hint }), ...(path !== undefined && { path }) };
}

/** What a person who stopped bk reads; any verb goes on when it is given again. */
export const INTERRUPTED = 'interrupted; give the same command again to go on';

const NO_SPACE = ['ENOSPC', 'EDQUOT'];
const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'free some space, then give the same command again',
  EDQUOT: 'free some space, then give the same command again',
  EACCES: 'look who owns it and who may read and write it',
  EPERM: 'look who owns it, and whether it is immutable (lsattr)',
  EROFS: 'mount the file system so that it can be written',
  EIO: 'the disk may be failing: look at the kernel’s messages (dmesg), and copy what matters elsewhere',
  EMFILE: 'raise the limit of open files (ulimit -n)',
};

/** An error of the operating system that nobody gave better words. */
function fromSystem(error: unknown): BkError | undefined {
  const { errno, code, syscall, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (typeof errno !== 'number' || code === undefined || syscall === undefined) return undefined;
  const why = getSystemErrorMap().get(errno)?.[1] ?? code;
  const what = path === undefined ? `cannot ${syscall}` : `cannot ${syscall} ${path}`;
  return new BkError(NO_SPACE.includes(code) ? 'no-space' : 'io', `${what}: ${why}`, {
    cause: error,
    ...(HINTS[code] !== undefined && { hint: HINTS[code] }),
    ...(path !== undefined && { path }),
  });
}

const SQLITE: readonly (readonly [prefix: string, code: ErrorCode, hint: string])[] = [
  ['SQLITE_BUSY', 'locked', 'another bk is working in this repository; wait until it is done'],
  ['SQLITE_FULL', 'no-space', 'free some space, then give the same command again'],
  ['SQLITE_CORRUPT', 'damaged', 'run `bk reindex`: the index can always be made anew'],
  ['SQLITE_NOTADB', 'damaged', 'run `bk reindex`: the index can always be made anew'],
  [
    'SQLITE_IOERR_WRITE',
    'io',
    'free some space if the disk is full, then give the same command again; else the disk may be failing',
  ],
  ['SQLITE_', 'io', 'look whether .bk can be written and its disk is healthy'],
];

function fromSqlite(error: unknown): BkError | undefined {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code !== 'string') return undefined;
  const known = SQLITE.find(([prefix]) => code.startsWith(prefix));
  if (known === undefined || code === 'SQLITE_ERROR' || code === 'SQLITE_MISUSE') return undefined;
  return new BkError(known[1], `cannot use the database in .bk: ${String(message)}`, {
    hint: known[2],
    cause: error,
  });
}

function bug(error: unknown): BkError {
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new BkError('bug', `this is a bug in bk: ${what}`, {
    hint: 'give the command again with BK_DEBUG=1 in the environment and report what it prints',
    cause: error,
  });
}
