import { BkError, type RepoPath, ROOT } from '@bk/core';
import type { Context } from './context.ts';
import { ancestry, type Onwards } from './history/ancestry.ts';
import { type CommitReport, commitReport } from './history/commit-report.ts';
import { commitOf, type Past } from './history/revision.ts';
import { follow, type Track, type Trail } from './history/trail.ts';

export interface LogOptions {
  /** A file (followed through its renames) or folder, of now or of earlier; the root or absent: everything. */
  readonly path?: RepoPath;
  /** Most commits. */
  readonly limit?: number;
  /** Where to start; absent: HEAD. */
  readonly rev?: string;
}

export interface LogEntry extends CommitReport {
  /** Where the file was in this commit, or had been until it. */
  readonly path?: RepoPath;
}

export interface LogResult {
  /** Newest first. */
  readonly commits: readonly LogEntry[];
}

/** The history before a commit, of one path or of everything. @throws BkError 'not-found' for a path that never was */
export function log(repo: Past, options: LogOptions, context: Pick<Context, 'nowMs'>): LogResult {
  if (repo.head === undefined && options.rev === undefined) return { commits: [] };
  const { path = ROOT, limit = Number.POSITIVE_INFINITY } = options;
  const start = commitOf(repo, options.rev ?? 'HEAD', context);
  const commits: LogEntry[] = [];
  const entries = path === ROOT ? logOfAll(repo, start) : logOfPath(repo, start, path);
  if (limit > 0) {
    for (const entry of entries) {
      commits.push(entry);
      if (commits.length >= limit) break;
    }
  }
  if (path !== ROOT && commits.length === 0 && limit > 0) {
    throw new BkError('not-found', `no history of ${path}: no commit ever had it`, {
      path,
      hint: '`bk status` lists what was not committed yet',
    });
  }
  return { commits };
}

type Start = Parameters<typeof ancestry>[1][0];

function* logOfAll({ history }: Past, start: Start): Iterable<LogEntry> {
  const all: (commit: { readonly parents: readonly Start[] }) => Onwards<null> = ({ parents }) =>
    parents.map((parent) => [parent, null]);
  for (const [commit] of ancestry<null>(history, [start, null], all)) yield commitReport(history, commit);
}

function* logOfPath({ history }: Past, start: Start, path: RepoPath): Iterable<LogEntry> {
  let track: Track | undefined;
  const onwards = (): Onwards<Trail> => track?.onwards ?? [];
  for (const [commit, trail] of ancestry<Trail>(history, [start, { path }], onwards)) {
    track = follow(history, commit, trail);
    if (track.touched) yield { ...commitReport(history, commit), path: trail.path };
  }
}
