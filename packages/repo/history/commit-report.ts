import { type ChangeSummary, type DeletionPolicy, type GitId, parseCommitMessage } from '@bk/core';
import type { CommitObject, HistoryReader, Signature } from '@bk/store';
import { summaryBetweenTrees } from './differences.ts';

/** A commit as `log` and `show` tell it. */
export interface CommitReport {
  readonly commit: GitId;
  readonly parents: readonly GitId[];
  /** `Name <email>` */
  readonly author: string;
  /** When it was committed: RFC 3339, seconds, with the offset of the place. */
  readonly time: string;
  /** The person's, without trailers. */
  readonly message: string;
  /** Against the first parent. */
  readonly summary: ChangeSummary;
  /** Which repository made it. */
  readonly repository?: { readonly id: string; readonly name: string };
  readonly deletions?: DeletionPolicy;
}

export function commitReport(
  history: HistoryReader,
  commit: CommitObject,
  summary = summaryOfCommit(history, commit),
): CommitReport {
  const { author, committer } = commit;
  return {
    commit: commit.id,
    parents: commit.parents,
    author: author.email === '' ? author.name : `${author.name} <${author.email}>`,
    time: timeText(committer),
    summary,
    ...parseCommitMessage(commit.message),
  };
}

/** Tree of the first parent; undefined for the first commit. */
export function treeBefore(history: HistoryReader, commit: CommitObject): GitId | undefined {
  const parent = commit.parents[0];
  return parent === undefined ? undefined : history.readCommit(parent).tree;
}

function summaryOfCommit(history: HistoryReader, commit: CommitObject): ChangeSummary {
  return summaryBetweenTrees(history, treeBefore(history, commit), commit.tree);
}

function timeText({ timeSec, offsetMinutes }: Signature): string {
  const local = new Date((timeSec + offsetMinutes * 60) * 1000).toISOString().slice(0, 19);
  if (offsetMinutes === 0) return `${local}Z`;
  const minutes = Math.abs(offsetMinutes);
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${local}${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
