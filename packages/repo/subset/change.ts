import fs from 'node:fs';
import path from 'node:path';
import {
  BkError,
  decodePath,
  type EncodedName,
  type LeavingContent,
  type Narrowing,
  narrowing,
  parsePattern,
  type RecordAt,
  type RepoPath,
  ROOT,
  type Selector,
  type Subset,
  selectorOf,
  wholesOf,
} from '@bk/core';
import type { TreeEntry } from '@bk/store';
import { nodePath } from '@bk/worktree';
import type { Context } from '../context.ts';
import { type Proven, proveElsewhere } from '../drop/proof.ts';
import { absentBelow } from '../presence/absence.ts';
import type { Repository } from '../repository.ts';

export interface Change extends Narrowing {
  readonly after: Selector;
}

/** What another subset means for what is here. */
export function changeOf(
  repo: Repository,
  entries: readonly RecordAt[],
  { before, after }: { readonly before: Subset; readonly after: Subset },
): Change {
  const wholes = wholesOf(entries);
  const absent = new Set(repo.head === undefined ? [] : absentBelow(repo, ROOT));
  const selectors = { before: selectorOf(before, wholes), after: selectorOf(after, wholes) };
  const isHere = ({ path: at }: RecordAt) => !absent.has(at);
  return { ...narrowing(entries, { ...selectors, isHere }), after: selectors.after };
}

/**
 * Makes sure that others hold now what this repository does not want any more (P05). Only while writing.
 * @throws BkError 'refused' if they do not, for at least one content
 */
export async function proveLeaving(
  repo: Repository,
  contents: readonly LeavingContent[],
  copies: number,
  context: Context,
): Promise<Pick<Proven, 'release'>> {
  if (contents.length === 0) return { release: async () => {} };
  const proven = await proveElsewhere(repo, contents, { copies }, context);
  const unproven = contents.filter(({ blake3 }) => proven.refused.has(blake3));
  const first = unproven[0];
  if (first === undefined) return proven;
  await proven.release();
  const files = unproven.reduce((sum, { paths }) => sum + paths.length, 0);
  const [at = ''] = first.paths;
  throw new BkError(
    'refused',
    `cannot narrow the subset: ${files} ${files === 1 ? 'file that is' : 'files that are'} here would not be wanted any more, and ${files === 1 ? 'is' : 'are'} not safe elsewhere; ${at}: ${proven.refused.get(first.blake3)}`,
    {
      path: at,
      hint: 'plug in or mount the disks that hold them, or send them to one with `bk push`; then try again',
    },
  );
}

/**
 * A pattern's folder that is a symlink here and a folder in the history would bring its files elsewhere (P10).
 * @throws BkError 'refused'
 */
export function refuseLinks({ layout, head, history }: Repository, { include }: Subset): void {
  if (head === undefined) return;
  for (const pattern of include) {
    let tree: ReturnType<typeof history.readCommit>['tree'] | undefined = history.readCommit(head).tree;
    const names: EncodedName[] = [];
    for (const segment of parsePattern(pattern).segments) {
      if (segment.is !== 'literal' || tree === undefined) break;
      const entry: TreeEntry | undefined = history.readTree(tree).find(({ name }) => name === segment.name);
      names.push(segment.name);
      if (entry?.kind !== 'tree') break;
      if (isLink(layout.root, names.join('/') as RepoPath)) throw linkError(names.join('/'));
      tree = entry.id;
    }
  }
}

function isLink(root: string, at: RepoPath): boolean {
  const bytes = path.posix.join(Buffer.from(root).toString('latin1'), decodePath(at));
  return fs.lstatSync(nodePath(bytes), { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function linkError(at: string): BkError {
  return new BkError(
    'refused',
    `cannot want ${at}: it is a symbolic link here, and a folder in the history`,
    {
      path: at,
      hint: 'move the link away, or commit it in place of the folder',
    },
  );
}
