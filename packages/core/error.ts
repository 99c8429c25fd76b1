/** Stable names of errors; other programs switch on them, so they are never renamed. */
export type ErrorCode =
  | 'usage'
  | 'refused'
  | 'not-a-repository'
  | 'inside-repository'
  | 'locked'
  | 'io'
  | 'no-space'
  | 'not-found'
  | 'unreachable'
  | 'damaged'
  | 'interrupted'
  | 'bug';

/** Exit code of the process for each error (SPEC 3). */
export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  usage: 2,
  refused: 3,
  'inside-repository': 3,
  'not-a-repository': 4,
  locked: 4,
  io: 4,
  'no-space': 4,
  'not-found': 4,
  unreachable: 4,
  damaged: 5,
  bug: 70,
  interrupted: 130,
};

export interface ErrorDetails {
  /** What the person can do now; one sentence. */
  readonly hint?: string;
  /** The path it is about, as RepoPath or as the person gave it. */
  readonly path?: string;
  readonly cause?: unknown;
}

/** The one error class: an exception stops the command. `message` says WHAT and WHY ("cannot read x: permission denied"). */
export class BkError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly path: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'BkError';
    this.code = code;
    this.hint = details.hint;
    this.path = details.path;
  }
}
