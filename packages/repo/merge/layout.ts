import {
  type Correspondence,
  correspondences,
  formatCommitMessage,
  formatRecord,
  type GitId,
  layoutMoves,
  type MergeEntry,
  type ObjectId,
  parseCommitMessage,
  type Rec,
  type RepoPath,
} from '@bk/core';
import type { Overlay } from '@bk/store';
import type { Context } from '../context.ts';
import { recordReader } from '../history/differences.ts';
import { signatureOf } from '../history/signature.ts';
import { TreeEdits, writeTrees } from '../history/trees.ts';
import type { Repository } from '../repository.ts';
import { mergeInput } from './trees.ts';

/** Of two histories that never met. */
export interface Strangers {
  readonly ours: GitId;
  readonly theirs: GitId;
}

/** All that two trees have. */
export interface BothTrees {
  readonly ours: readonly MergeEntry[];
  readonly theirs: readonly MergeEntry[];
}

export function readBoth(objects: Overlay, { ours, theirs }: Strangers): BothTrees {
  const treeOf = (commit: GitId): GitId => objects.readCommit(commit).tree;
  const sides = [treeOf(ours), treeOf(theirs)] as const;
  const input = mergeInput(objects, { base: undefined, sides }, recordReader(objects));
  // Where both have exactly the same folder it is as good as read from either.
  return { ours: input.sides[0], theirs: input.sides[1] };
}

/** Which of their folders are copies of ours, for the greater part. */
export function correspondingFolders({ ours, theirs }: BothTrees): Correspondence[] {
  return correspondences(contentsOf(ours), contentsOf(theirs));
}

function contentsOf(entries: readonly MergeEntry[]) {
  return entries.flatMap(({ path, record: { type, blake3, size } }) =>
    blake3 === undefined || size === undefined ? [] : [{ path, type, blake3, size }],
  );
}

/** What a commit on a side's behalf did. */
export interface LaidOut {
  /** Whose head it follows: the side that got the other's layout. */
  readonly side: 'ours' | 'theirs';
  readonly commit: GitId;
  /** Files that got another path, and those that became one with one of the other side. */
  readonly moved: number;
  readonly unified: number;
}

/**
 * Gives one side the layout of the other by an ordinary commit (SPEC 6): equal contents go to the chosen paths and become
 * one object there. Its records are those of the side, under its own name; nothing is deleted.
 * @param chosen whose layout is kept. @returns undefined: it has that layout already
 */
export function layOut(
  repo: Repository,
  { heads, both, chosen, objects }: LayoutOptions,
  context: Context,
): LaidOut | undefined {
  const side = chosen === 'ours' ? 'theirs' : 'ours';
  const { moves, emptied } = layoutMoves(both[chosen], both[side]);
  if (moves.length === 0 && emptied.length === 0) return undefined;
  const parent = objects.readCommit(heads[side]);
  const edits = new TreeEdits();
  const entries = new Map(both[side].map((entry) => [entry.path, entry]));
  for (const { from, to } of moves) if (from !== to) place(edits, from, entries.get(from)!, null);
  for (const path of emptied) edits.setFolder(path, null);
  for (const { from, to, unified } of moves) {
    const entry = entries.get(from)!;
    const blob =
      unified === undefined ? entry.blob : objects.addBlob(formatRecord(asOne(entry.record, unified)));
    place(edits, to, entry, blob);
  }
  const { root: tree = parent.tree } = writeTrees(edits, {
    reader: objects,
    writer: objects,
    root: parent.tree,
  });
  const signature = signatureOf(repo, context);
  const commit = objects.addCommit({
    tree,
    parents: [parent.id],
    author: signature,
    committer: signature,
    message: messageFor(repo, parent.message, chosen),
  });
  const isMoved = moves.filter(({ from, to }) => from !== to && entries.get(from)!.record.type !== 'dir');
  const unified = moves.filter((move) => move.unified !== undefined).length;
  return { side, commit, moved: isMoved.length, unified };
}

export interface LayoutOptions {
  readonly heads: Strangers;
  readonly both: BothTrees;
  readonly chosen: 'ours' | 'theirs';
  /** Where the commit goes. */
  readonly objects: Overlay;
}

function place(edits: TreeEdits, path: RepoPath, { record }: MergeEntry, blob: GitId | null): void {
  if (record.type === 'dir') edits.setFolder(path, blob);
  else edits.set(path, blob);
}

function asOne(record: Rec, { stays, was }: { readonly stays: ObjectId; readonly was: ObjectId }): Rec {
  const ids = new Set<ObjectId>([...(record.was ?? []), was]);
  ids.delete(stays);
  return { ...record, id: stays, was: [...ids].sort() };
}

/** In the name of the repository whose head it follows, as far as that is known. */
function messageFor({ config: { id, name } }: Repository, before: string, chosen: 'ours' | 'theirs'): string {
  const { repository = { id, name } } = parseCommitMessage(before);
  return formatCommitMessage({
    message:
      chosen === 'ours' ? `Take over the layout of ${name}` : 'Take over the layout of another collection',
    repository,
  });
}
