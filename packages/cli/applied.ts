import type { MergeConflict, PathProblem, RepoPath } from '@bk/core';
import type { Advanced } from '@bk/repo';
import { changeRows, firstOf, moreRow } from './changes.ts';
import { count, counted, size, table } from './format.ts';
import { listText } from './lists.ts';
import { type Style, shownPath } from './terminal.ts';

/** What became of the files here when the folder followed a commit, or in a dry run would. */
export type Followed = Pick<Advanced, 'applied' | 'moved' | 'changed' | 'transferred'>;

export interface AppliedOptions {
  readonly style: Style;
  /** Every line, however many. */
  readonly long: boolean;
  /** What is told in another place. */
  readonly without: ReadonlySet<RepoPath>;
}

/** A line for whatever went the same way, then for each file or folder with what happened to it. */
export function appliedText({ moved, changed }: Followed, { style, long, without }: AppliedOptions): string {
  const moves = moved.filter(({ file, to }) => !file || !without.has(to));
  const { shown, hidden } = firstOf(moves, long);
  const rows = shown.map((group) => [style('cyan', 'moved'), movedText(group)]);
  if (hidden > 0) rows.push(moreRow(hidden, 'moved', style));
  const others = changed.filter(({ path }) => !without.has(path));
  return table([...rows, ...changeRows(others, style, long)]);
}

/** Where conflicts keep what does not stay: told with them. */
export function keptPaths(conflicts: readonly MergeConflict[]): ReadonlySet<RepoPath> {
  return new Set(conflicts.flatMap(({ kept }) => kept));
}

function movedText({ from, to, files, file }: Followed['moved'][number]): string {
  if (file) return `${shownPath(from)} → ${shownPath(to)}`;
  const way = `${folder(from)} → ${folder(to)}`;
  return files === 0 ? way : `${counted(files, 'file')} with ${way}`;
}

function folder(path: RepoPath): string {
  return `${shownPath(path)}/`;
}

/** `1,240 moved, 2 new`, each only if there are any; then what had to be brought. */
export function countsOf({ applied, transferred }: Followed): string[] {
  const { renamed, copied, updated, deleted } = applied;
  const counts = [
    [renamed, 'moved'],
    [copied, 'new'],
    [updated, 'updated'],
    [deleted, 'deleted'],
  ] as const;
  const told = counts.filter(([n]) => n > 0).map(([n, what]) => `${count(n)} ${what}`);
  const { files, bytes } = transferred;
  return files > 0 ? [...told, `${counted(files, 'content')} fetched, ${size(bytes)}`] : told;
}

export function missingText(missing: readonly PathProblem[], style: Style): string {
  const list = listText('missing, no copy can be reached', missing, style);
  return list === '' ? '' : `${list}next: plug in a disk that has them, then \`bk get PATH\`\n`;
}

/** What changed or was in the way just when its turn came. */
export function leftText(left: readonly PathProblem[], style: Style): string {
  return listText('left as it is; `bk status` shows it as a change', left, style);
}
