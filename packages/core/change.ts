import type { ContentHash, ObjectId } from './ids.ts';
import type { RepoPath } from './path.ts';

export type ChangeType = 'added' | 'modified' | 'renamed' | 'deleted' | 'metadata' | 'typechange';

/** One file's difference between two states (SPEC 3, CHANGE). A renamed file that was edited too is `renamed` with `fields: ['content', …]`. */
export interface Change {
  readonly type: ChangeType;
  readonly path: RepoPath;
  readonly from?: RepoPath;
  readonly id?: ObjectId;
  readonly size: number;
  readonly blake3?: ContentHash;
  /** Which fields differ: content, mode, mtime, target, type, linked, media, attrs … sorted. */
  readonly fields?: readonly string[];
  /** The content changed though size, mtime and inode did not: a failing disk, or a program that hides its edits. */
  readonly suspect?: 'rot';
}

export type ChangeSummary = Readonly<Record<ChangeType, number>>;

/** A path that was not, or could not be, looked at; `reason` is a short phrase for people ("a socket", "permission denied"). */
export interface PathProblem {
  readonly path: RepoPath;
  readonly reason: string;
}
