import type { ContentHash, GitId } from './ids.ts';
import type { RepoPath } from './path.ts';

/** What a step expects to find at a path just before it acts; anything else is left alone and reported (SPEC 4, rule 3). */
export type Expectation =
  | { readonly is: 'absent' }
  | {
      readonly is: 'entry';
      readonly inode: bigint;
      readonly size: number;
      readonly mtimeNs: bigint;
      readonly ctimeNs: bigint;
      /** Name the captured content gets in the safety net. */
      readonly blake3?: ContentHash;
    };

export type EntryExpectation = Extract<Expectation, { is: 'entry' }>;

/** One place where a content's bytes may be. */
export interface ContentSource {
  /** A path below `.bk` ("safety/ab/cd…", "staging/<txn>/s3"), or with `tree` the RepoPath of a file beside it. */
  readonly source: string;
  /** `link`: the source's own inode may appear at the path (it is nobody else's); `copy`: reflink, else verified copy. */
  readonly how: 'link' | 'copy';
  /** The source is a file of the user's; always copied. */
  readonly tree?: boolean;
}

/** Where the bytes of a placed file come from. Each source is hashed before it is relied on; the next one is taken if it is bad. */
export interface PlacedContent extends ContentSource {
  readonly blake3: ContentHash;
  readonly size: number;
  readonly instead?: readonly ContentSource[];
}

/**
 * One step of a plan: plain data, decided by core, carried out by worktree's one writing module.
 * Steps are in order: folders before what goes into them, what has to leave a name before what comes to it.
 */
export type Step =
  | { readonly do: 'mkdir'; readonly path: RepoPath; readonly mode: number }
  | {
      readonly do: 'place';
      readonly path: RepoPath;
      readonly expect: Expectation;
      readonly content: PlacedContent;
      readonly mode: number;
      readonly mtimeNs: bigint;
      /** Takes this name if something is in the way when it comes to it; absent: reported as a conflict. */
      readonly otherwise?: RepoPath;
    }
  | {
      readonly do: 'symlink';
      readonly path: RepoPath;
      readonly expect: Expectation;
      /** Encoded like a name. */
      readonly target: string;
      readonly mtimeNs: bigint;
      readonly otherwise?: RepoPath;
    }
  | {
      readonly do: 'touch';
      readonly path: RepoPath;
      readonly expect: Expectation;
      readonly mode?: number;
      readonly mtimeNs?: bigint;
    }
  /** Gives a file, symlink or whole folder another name; nothing may be at `path`. */
  | {
      readonly do: 'move';
      readonly path: RepoPath;
      readonly from: RepoPath;
      readonly what: 'file' | 'folder';
      /** Of a folder only its inode counts. */
      readonly expect: EntryExpectation;
      /** The step that parked it: `from` is free, or has been taken by something else since. */
      readonly parked?: number;
      readonly mode?: number;
      readonly mtimeNs?: bigint;
    }
  /** Takes a file or folder out of the way for a moment: a later `move` of the same plan gives it its name. */
  | {
      readonly do: 'park';
      readonly path: RepoPath;
      readonly what: 'file' | 'folder';
      readonly expect: EntryExpectation;
    }
  /** Takes a file or symlink into the safety net. */
  | { readonly do: 'remove'; readonly path: RepoPath; readonly expect: EntryExpectation }
  /** Removes a folder that is empty; one that is not stays, and that is no failure. */
  | { readonly do: 'rmdir'; readonly path: RepoPath };

/** Where the head goes when a transaction's steps are done: a replay finishes that too. */
export interface HeadMove {
  readonly ref: string;
  readonly from: GitId | null;
  readonly to: GitId;
}

/** Steps that are carried out as a whole: written to the journal before the first of them changes anything. */
export interface Transaction {
  /** Names its folder in staging: `s<n>` is the content that step n places, `c<n>` the file that it captured, `m<n>` what it moves. */
  readonly id: string;
  readonly verb: string;
  /** How files get their names: by `link`, or, where the file system has no links, by exclusive `create` and copy. */
  readonly placing: 'link' | 'create';
  readonly steps: readonly Step[];
  readonly head?: HeadMove;
  /**
   * Whose files are placed, by name. Where one cannot have its path, because somebody's other file is there by then, it
   * gets the name of a conflict beside it. Absent: it is not placed then.
   */
  readonly placedFor?: string;
}

/** What became of a step. Mismatches are values, not exceptions. */
export interface StepResult {
  readonly step: Step;
  readonly outcome: 'done' | 'done-otherwise' | 'conflict' | 'failed';
  /** Where the entry is now. */
  readonly path: RepoPath;
  readonly reason?: string;
}
