import { BkError, everywherePattern, type GitId, type PathProblem, type Subset } from '@bk/core';
import { HistoryReader } from '@bk/store';
import type { Context } from '../context.ts';
import type { Pool } from '../observe/pool.ts';
import { type FolderPart, selectFolders } from './selection.ts';
import type { CloneSource } from './source.ts';
import { surveyParts } from './space.ts';
import type { CloneTotals } from './survey.ts';
import type { Target } from './target.ts';

export interface CloneOptions {
  readonly from: CloneSource;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Absent: the folder's name. */
  readonly name?: string;
  readonly dryRun?: boolean;
  /** The destination lies in a folder that is held: its path is used as it is. */
  readonly pinned?: boolean;
}

export interface CloneResult {
  readonly root: string;
  /** Null: a dry run. */
  readonly id: string | null;
  /** Null: nothing was committed there yet. */
  readonly commit: GitId | null;
  /** Files and links that are here now, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  /** What is wanted and could not be had. */
  readonly missing: readonly PathProblem[];
  readonly warnings: readonly string[];
}

/** What is to be cloned, decided before anything is made. */
export interface ClonePlan {
  readonly commit: GitId | null;
  readonly parts: readonly FolderPart[];
  readonly totals: CloneTotals;
  readonly warnings: readonly string[];
}

/** What the steps of a clone share. */
export interface CloneWork {
  readonly target: Target;
  readonly subset: Subset;
  readonly options: CloneOptions;
  readonly context: Context;
  readonly pool: Pool;
}

/** @param history git directory that has the commit */
export async function planClone(work: CloneWork, history: string, commit: GitId | null): Promise<ClonePlan> {
  if (commit === null)
    return { commit, parts: [], totals: { files: 0, bytes: 0, folders: 0, space: 0 }, warnings: [] };
  const { options, subset, pool, target } = work;
  const reader = new HistoryReader(history);
  try {
    const { folders, idle } = selectFolders(reader, reader.readCommit(commit).tree, subset);
    const warnings = idleWarnings(idle, subset);
    const { repository } = options.from;
    const source = repository?.layout.root;
    const index = repository?.head === commit ? repository.index : undefined;
    const totals = await surveyParts(
      folders,
      { history, source, root: target.root, ...(index && { index }) },
      pool,
    );
    return { commit, parts: folders, totals, warnings };
  } finally {
    reader.close();
  }
}

/** @throws BkError 'usage' if no include matches anything: most likely all are misspelled */
function idleWarnings(idle: readonly string[], { include }: Subset): string[] {
  if (include.length > 0 && include.every((pattern) => idle.includes(pattern))) {
    const shown = include.map((pattern) => JSON.stringify(pattern)).join(', ');
    throw new BkError('usage', `cannot clone: nothing in the history matches ${shown}`, {
      hint: `patterns begin at the top of the tree${everywhere(include)}; \`bk ls -r\` lists it`,
    });
  }
  return idle.map(
    (pattern) => `the pattern ${JSON.stringify(pattern)} matches nothing${everywhere([pattern])}`,
  );
}

/** A name alone is most often meant everywhere. */
function everywhere(patterns: readonly string[]): string {
  const deep = patterns.flatMap((pattern) => everywherePattern(pattern) ?? []);
  const [first] = deep;
  return first === undefined ? '' : ` (${JSON.stringify(first)} would match everywhere)`;
}
