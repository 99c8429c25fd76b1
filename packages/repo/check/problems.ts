import { BkError } from '@bk/core';

/** Where a problem lies; other programs switch on it. */
export type ProblemKind =
  | 'config'
  | 'history'
  | 'identity'
  | 'index'
  | 'leftover'
  | 'pack'
  | 'presence'
  | 'record'
  | 'ref'
  | 'safety';

/** One thing that `check` found wrong. */
export interface Problem {
  readonly kind: ProblemKind;
  /** The path, file or object it is about. */
  readonly subject: string;
  readonly detail: string;
  /** What to do. */
  readonly remedy: string;
}

const MOST = 1_000;

/** What to do about each kind, unless the finder knows better. */
const REMEDIES: Readonly<Record<ProblemKind, string>> = {
  config: 'put .bk/config.json back from a backup',
  history: 'fetch the history from another repository, or put .bk/history back from a backup',
  identity: 'commit a change of one of the two files; tell the makers of bk',
  index: 'bk reindex',
  leftover: 'the next command that writes (bk commit) clears it away',
  pack: 'fetch the history from another repository, or put .bk/history back from a backup',
  presence: 'the repository it is about writes it anew at its next commit',
  record: 'fetch the history from another repository, or put .bk/history back from a backup',
  ref: 'put the commit id into it (git --git-dir=.bk/history fsck --lost-found finds it), or fetch it again',
  safety: 'look at the file; move it away if it is yours',
};

/** Collects problems, up to a number that a person can look through. */
export class Problems {
  readonly #list: Problem[] = [];
  #more = 0;

  add(kind: ProblemKind, subject: string, detail: string, remedy: string = REMEDIES[kind]): void {
    if (this.#list.length < MOST) this.#list.push({ kind, subject, detail, remedy });
    else this.#more++;
  }

  /** Runs `work`; damage that it meets becomes a problem, and undefined its result. */
  guard<T>(kind: ProblemKind, subject: string, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.add(kind, subject, error.message);
      return undefined;
    }
  }

  get count(): number {
    return this.#list.length + this.#more;
  }

  list(): readonly Problem[] {
    if (this.#more === 0) return this.#list;
    const rest: Problem = {
      kind: 'history',
      subject: '',
      detail: `${this.#more} more problems`,
      remedy: 'mend these first',
    };
    return [...this.#list, rest];
  }
}

/** A disk that cannot be read any more is damage too. */
function isDamage(error: unknown): error is Error {
  return error instanceof BkError
    ? error.code === 'damaged'
    : (error as NodeJS.ErrnoException).code === 'EIO';
}
