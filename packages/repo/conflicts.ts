import {
  type ConflictKind,
  type ContentHash,
  type GitId,
  haveSamePayload,
  parseRecord,
  type RecordAt,
  type RepoPath,
  type TreeConflict,
  treeConflicts,
} from '@bk/core';
import { type HistoryReader, walkTree } from '@bk/store';
import { recordPath } from './history/differences.ts';
import type { Past } from './history/revision.ts';
import { versionSources } from './merge/sources.ts';

/** One of the versions that a merge kept. */
export interface ListedVersion {
  readonly path: RepoPath;
  /** Name of the repository that made it; null: not known. */
  readonly repository: string | null;
  /** Null: of a folder. */
  readonly blake3: ContentHash | null;
  /** When it was committed: RFC 3339, UTC; null: not known. */
  readonly time: string | null;
}

export interface ListedConflict {
  /** Of the version that stays. */
  readonly path: RepoPath;
  readonly kind: ConflictKind;
  readonly versions: readonly ListedVersion[];
  /** The versions are one picture or one sound, with other tags. */
  readonly same?: 'payload';
}

export interface ConflictsResult {
  /** By path. */
  readonly conflicts: readonly ListedConflict[];
}

/** Conflicts that merges left in the head, until somebody resolves them. Reads no file of the folder. */
export function conflicts(repo: Pick<Past, 'history' | 'head'>): ConflictsResult {
  const { history, head } = repo;
  if (head === undefined) return { conflicts: [] };
  const found = conflictsIn(history, head);
  const sourceOf = versionSources(history, head, found);
  return {
    conflicts: found.map((conflict) => ({
      path: conflict.path,
      kind: conflict.kind,
      versions: conflict.versions.map((version) => {
        const source = sourceOf(conflict, version);
        return {
          path: version.path,
          repository: source?.repository ?? null,
          blake3: version.blake3 ?? null,
          time: timeText(source?.timeSec),
        };
      }),
      ...(haveSamePayload(conflict.entries.map(({ record }) => record)) && { same: 'payload' as const }),
    })),
  };
}

/** The conflicts of a commit's tree. Only merges make some: where there was none, no record is read. */
export function conflictsIn(history: HistoryReader, commit: GitId): TreeConflict[] {
  return hasMerge(history, commit) ? treeConflicts(contested(history, commit)) : [];
}

function hasMerge(history: HistoryReader, head: GitId): boolean {
  for (let id: GitId | undefined = head; id !== undefined; ) {
    const { parents }: { parents: readonly GitId[] } = history.readCommit(id);
    if (parents.length > 1) return true;
    id = parents[0];
  }
  return false;
}

function* contested(history: HistoryReader, commit: GitId): Generator<RecordAt> {
  for (const { path, id } of walkTree(history, history.readCommit(commit).tree)) {
    const text = history.readBlobText(id);
    if (text.includes('"conflict"')) yield { path: recordPath(path), record: parseRecord(text) };
  }
}

function timeText(timeSec: number | undefined): string | null {
  if (timeSec === undefined || Number.isNaN(timeSec)) return null;
  return `${new Date(timeSec * 1000).toISOString().slice(0, 19)}Z`;
}
