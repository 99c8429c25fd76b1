import { isInside, type MergeEntry, parentOf, type RepoPath, ROOT } from '@bk/core';
import type { Tree } from '../../packages/core/merge/merge-tree.fixture.ts';
import type { Contents } from './git-merges.ts';

/** Why git's tree may be another one than bk's although neither reports a conflict. */
export type GitExcuse =
  | 'git fails by an assertion of its own'
  | 'git loses a content that nobody deleted'
  | 'git lets what is new in a folder follow only if something is new right in it'
  | 'bk recognises folders that changed places by their objects';

export interface Difference {
  readonly base: Tree;
  readonly sides: readonly [Tree, Tree];
  readonly bk: Tree;
  /** Undefined: git died. */
  readonly git: Contents | undefined;
}

/** Undefined: none, so one of the two is wrong. */
export function gitExcuse(different: Difference): GitExcuse | undefined {
  const { git, bk } = different;
  if (git === undefined) return 'git fails by an assertion of its own';
  const places = new Map([...git].map(([path, content]) => [content, path as RepoPath]));
  const elsewhere = [...bk.values()].filter(({ path, record }) => places.get(record.blake3 ?? '') !== path);
  const excuses = elsewhere.map((entry) =>
    excuseFor(entry, places.get(entry.record.blake3 ?? ''), different),
  );
  return excuses.includes(undefined) ? undefined : excuses[0];
}

/** @param put where git has it; bk has it elsewhere */
function excuseFor(
  entry: MergeEntry,
  put: RepoPath | undefined,
  { base, sides }: Difference,
): GitExcuse | undefined {
  if (put === undefined) return 'git loses a content that nobody deleted';
  for (const side of [0, 1] as const) {
    const [here, there] = [sides[side], sides[1 - side] as Tree];
    for (const folder of foldersAbove(placeOf(entry, here)))
      if (isLeft(folder, base, there) && hasFolder(there, folder))
        return 'bk recognises folders that changed places by their objects';
    for (const folder of foldersAbove(put))
      if (isLeft(folder, base, there) && !hasFolder(there, folder) && !hasNew(folder, base, here))
        return 'git lets what is new in a folder follow only if something is new right in it';
  }
  return undefined;
}

/** There were files right in the folder of the base, and a side has none of them there. */
function isLeft(folder: RepoPath, base: Tree, side: Tree): boolean {
  const held = idsIn(base, folder);
  return held.size > 0 && ![...idsIn(side, folder)].some((id) => held.has(id));
}

/** Something came to be right in the folder. */
function hasNew(folder: RepoPath, base: Tree, side: Tree): boolean {
  const held = idsIn(base, folder);
  return [...idsIn(side, folder)].some((id) => !held.has(id));
}

function placeOf({ record }: MergeEntry, tree: Tree): RepoPath {
  return [...tree.values()].find((entry) => entry.record.id === record.id)?.path ?? ROOT;
}

function foldersAbove(path: RepoPath): RepoPath[] {
  return path === ROOT || parentOf(path) === ROOT ? [] : [parentOf(path), ...foldersAbove(parentOf(path))];
}

/** Of the files right in a folder. */
function idsIn(tree: Tree, folder: RepoPath): Set<string> {
  const inside = [...tree.values()].filter(({ path }) => parentOf(path) === folder);
  return new Set(inside.map(({ record }) => record.id));
}

function hasFolder(tree: Tree, folder: RepoPath): boolean {
  return [...tree.keys()].some((path) => path !== folder && isInside(path, folder));
}
