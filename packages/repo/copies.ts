import {
  BkError,
  comparePaths,
  type HeldFile,
  isInside,
  type RepoPath,
  ROOT,
  type UnderCopied,
  underCopied,
} from '@bk/core';
import { settingsOf } from '@bk/store';
import type { Context } from './context.ts';
import { placesOf } from './holdings/holdings.ts';
import type { Repository } from './repository.ts';
import { headFiles } from './where.ts';

export interface CopiesOptions {
  /** Files, or folders with all that is below; none: everything. */
  readonly paths?: readonly RepoPath[];
  /** Copies that are enough, at least 1; absent: the setting `copies`. */
  readonly min?: number;
}

export interface CopiesResult {
  readonly under: UnderCopied['under'];
  readonly summary: UnderCopied['summary'] & {
    /** What was asked for. */
    readonly min: number;
  };
}

/**
 * The head's files with fewer copies than wanted, counted by volume, by what the known repositories said last; of this
 * one, by what is here now.
 * @throws BkError 'not-found' for a path that the head does not have
 */
export function copies(
  repo: Repository,
  options: CopiesOptions,
  context: Pick<Context, 'nowMs'>,
): CopiesResult {
  const min = options.min ?? settingsOf(repo.config).copies;
  const paths = options.paths?.length ? [...new Set(options.paths)] : [ROOT];
  const roots = paths.filter((path) => !paths.some((other) => other !== path && isInside(path, other)));
  for (const path of roots) checkKnown(repo, path);
  const sought = roots.includes(ROOT) ? 'all' : new Set(contentsBelow(repo, roots));
  const placesOfContent = placesOf(repo, sought, context);
  const result = underCopied(held(repo, roots, placesOfContent), min);
  const under = [...result.under].sort((a, b) => comparePaths(a.path, b.path));
  return { under, summary: { ...result.summary, min } };
}

function* held(
  repo: Repository,
  roots: readonly RepoPath[],
  placesOfContent: ReturnType<typeof placesOf>,
): Generator<HeldFile> {
  for (const root of roots)
    for (const { path, type, size, blake3 } of headFiles(repo, root))
      yield { path, type, size, holders: placesOfContent(blake3) };
}

function* contentsBelow(repo: Repository, roots: readonly RepoPath[]) {
  for (const root of roots) for (const { blake3 } of headFiles(repo, root)) yield blake3;
}

function checkKnown(repo: Repository, path: RepoPath): void {
  if (path === ROOT || repo.index.known(path) !== undefined) return;
  for (const _file of headFiles(repo, path)) return;
  throw new BkError('not-found', `cannot count copies of ${path}: the last commit has no such file`, {
    path,
  });
}
