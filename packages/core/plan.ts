import type { ContentHash } from './ids.ts';
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

/** Where the bytes of a placed file come from, as a path below `.bk` ("safety/ab/cd…", "staging/<txn>/3"). */
export interface PlacedContent {
  readonly source: string;
  readonly blake3: ContentHash;
  readonly size: number;
  /** `link`: the source's own inode may appear at the path (it is nobody else's); `copy`: reflink, else verified copy. */
  readonly how: 'link' | 'copy';
}

/**
 * One step of a plan: plain data, decided by core, carried out by worktree's one writing module.
 * Steps are in order: folders before what goes into them. Later verbs (merge) add `move` and `remove`.
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
    };

/** What became of a step. Mismatches are values, not exceptions. */
export interface StepResult {
  readonly step: Step;
  readonly outcome: 'done' | 'done-otherwise' | 'conflict' | 'failed';
  /** Where the entry is now. */
  readonly path: RepoPath;
  readonly reason?: string;
}
