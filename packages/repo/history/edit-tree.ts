import {
  BkError,
  type GitId,
  type IdentifiedEntry,
  PLAIN_FOLDER_MODE,
  type RepoPath,
  type TrackedEntry,
} from '@bk/core';
import type { Decision } from '../observe/decide.ts';
import type { Chosen } from '../recover/choose.ts';
import type { Recorded } from './records.ts';
import { TreeEdits, type When, type Written } from './trees.ts';

/** Every entry goes to its path; an object that moved leaves its old one, unless something else is there now. */
export function editTree(
  recorded: readonly Recorded[],
  chosen: Chosen,
  { observation }: Decision,
): TreeEdits {
  const edits = new TreeEdits();
  const remove = ({ type, path }: TrackedEntry): void => {
    if (type === 'dir') edits.setFolder(path, null, observation.drafts.has(path) ? 'if-filled' : 'always');
    else edits.set(path, null);
  };
  for (const tracked of chosen.deleted) remove(tracked);
  for (const { entry } of recorded) {
    const { object, seen } = entry;
    if (object.kind === 'known' && object.tracked.path !== seen.path) remove(object.tracked);
  }
  const around = new Set(chosen.around.entries);
  for (const { entry, record } of recorded) {
    const { object, seen } = entry;
    if (object.kind === 'known' && object.tracked.record === record && object.tracked.path === seen.path)
      continue;
    if (seen.type !== 'dir') edits.set(seen.path, record);
    else if (!around.has(entry)) edits.setFolder(seen.path, record, whenAdded(entry));
    else if (object.kind !== 'known')
      edits.offerFolder(seen.path, record, isNew(entry, observation.drafts) ? whenAdded(entry) : 'if-bare');
  }
  for (const { path } of chosen.around.deleted) {
    if (observation.drafts.has(path) && edits.folder(path) === undefined)
      edits.offerFolder(path, null, 'if-filled');
  }
  return edits;
}

/** A folder of the usual mode has a record only as long as nothing else is in it. */
function whenAdded({ seen, object }: IdentifiedEntry): When {
  return object.kind !== 'known' && seen.mode === PLAIN_FOLDER_MODE ? 'if-bare' : 'always';
}

function isNew({ seen }: IdentifiedEntry, drafts: Decision['observation']['drafts']): boolean {
  return drafts.get(seen.path)?.known === undefined;
}

export interface Effect {
  readonly recorded: readonly Recorded[];
  readonly deleted: readonly TrackedEntry[];
}

/**
 * What was recorded and deleted in fact: folders' own records come and go under conditions.
 * @throws BkError `damaged` if the new trees lack a record that none of these accounts for
 */
export function effectOf(
  recorded: readonly Recorded[],
  chosen: Chosen,
  { dropped, folders }: Written,
): Effect {
  const done = recorded.filter(
    ({ entry: { seen, object } }) => seen.type !== 'dir' || object.kind === 'known' || folders.has(seen.path),
  );
  const removed = new Set(dropped.flatMap(({ path, folder }) => (folder ? [path] : [])));
  const deleted = [...chosen.deleted, ...chosen.around.deleted].filter(
    ({ type, path }) => type !== 'dir' || removed.has(path),
  );
  const accounted = new Map<string, GitId>();
  const account = ({ type, path, record }: TrackedEntry): void =>
    void accounted.set(keyOf(path, type === 'dir'), record);
  for (const tracked of deleted) account(tracked);
  for (const { entry } of done) if (entry.object.kind === 'known') account(entry.object.tracked);
  for (const { path, record, folder } of dropped) {
    if (accounted.get(keyOf(path, folder)) === record) continue;
    throw new BkError('damaged', `cannot commit: the index does not say what the history has at "${path}"`, {
      path,
      hint: 'nothing was changed; run `bk reindex`, then give the same command again',
    });
  }
  return { recorded: done, deleted };
}

function keyOf(path: RepoPath, folder: boolean): string {
  return folder ? `${path}/` : path;
}
