import { type GitId, type ObjectId, parseRecord, type Rec, type RepoPath } from '@bk/core';
import { type CommitObject, diffTrees, findInTree, type HistoryReader } from '@bk/store';
import type { Onwards } from './ancestry.ts';
import { recordReader } from './differences.ts';

/** What is followed back through the history: whatever was at the path or, once a file was found there, that object. */
export interface Trail {
  readonly path: RepoPath;
  readonly id?: ObjectId;
}

/** One commit's part in a trail: whether it changed the thing, and where to look before it. */
export interface Track {
  readonly touched: boolean;
  readonly onwards: Onwards<Trail>;
}

interface Place {
  readonly blob?: GitId;
  readonly tree?: GitId;
  readonly record?: Rec;
}

const NOWHERE: Place = {};

/**
 * Follows a trail from a commit to its parents. A merge that left the thing as one parent had it leads to that one
 * alone, as in git. A file is followed by its object id through renames and, at the same path, through deletions; a
 * folder by its path.
 */
export function follow(history: HistoryReader, commit: CommitObject, trail: Trail): Track {
  const here = placeIn(history, commit.tree, trail);
  const id = here.record?.id ?? trail.id;
  const now: Trail = id === undefined ? { path: trail.path } : { path: trail.path, id };
  const parents = commit.parents.map((parent) => {
    const { tree } = history.readCommit(parent);
    return { parent, tree, there: placeIn(history, tree, now, here.record) };
  });
  if (here === NOWHERE && parents.every(({ there }) => there === NOWHERE)) {
    return { touched: false, onwards: parents.map(({ parent }) => [parent, now]) };
  }
  const same = parents.find(({ there }) => there.blob === here.blob && there.tree === here.tree);
  if (same !== undefined) return { touched: false, onwards: [[same.parent, now]] };
  return {
    touched: true,
    onwards: parents.map(({ parent, tree, there }) => {
      if (there.record !== undefined) return [parent, { path: now.path, id: there.record.id }];
      const moved = here.record === undefined ? undefined : originOf(history, here.record, tree, commit.tree);
      return [parent, moved ?? now];
    }),
  };
}

/** What a tree has on the trail; another object at the path of a known one is none of its business. */
function placeIn(history: HistoryReader, root: GitId, { path, id }: Trail, later?: Rec): Place {
  const entry = findInTree(history, root, path);
  if (entry === undefined) return NOWHERE;
  if (entry.kind === 'tree') return id === undefined ? { tree: entry.id } : NOWHERE;
  const record = parseRecord(history.readBlobText(entry.id));
  const wanted = id === undefined || record.id === id || isSameObject(record, later);
  return wanted ? { blob: entry.id, record } : NOWHERE;
}

/** Equal, or one of them became part of the other in a merge. */
function isSameObject(a: Rec, b: Rec | undefined): boolean {
  if (b === undefined) return false;
  return a.id === b.id || (a.was?.includes(b.id) ?? false) || (b.was?.includes(a.id) ?? false);
}

/** Where the object was in an older tree: only what is not there any more can have moved. */
function originOf(history: HistoryReader, record: Rec, before: GitId, after: GitId): Trail | undefined {
  const read = recordReader(history);
  for (const { path, before: blob } of diffTrees(history, before, after)) {
    if (blob === undefined) continue;
    const candidate = read(blob);
    if (candidate.type !== 'dir' && isSameObject(candidate, record)) return { path, id: candidate.id };
  }
  return undefined;
}
