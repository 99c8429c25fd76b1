import {
  type AttributeEdit,
  comparePaths,
  editAttributes,
  formatJson,
  formatMode,
  type GitId,
  isNoEdit,
  type JsonObject,
  type ObjectId,
  PLAIN_FOLDER_MODE,
  parseMode,
  type Rec,
  type RepoPath,
} from '@bk/core';
import type { Context } from './context.ts';
import { commitRecords, type RecordEdit } from './history/commit-records.ts';
import { idSource } from './history/records.ts';
import { type HeadObject, headObjects } from './observe/head-objects.ts';
import type { Repository } from './repository.ts';

export interface TagOptions {
  /** Files, links and folders of the head, here or not. */
  readonly paths: readonly RepoPath[];
  readonly edit: AttributeEdit;
  /** Of folders: the files and links in them instead. */
  readonly recursive?: boolean;
  readonly dryRun?: boolean;
}

export interface Tagged {
  readonly path: RepoPath;
  /** Null: a folder that has no record of its own yet. */
  readonly id: ObjectId | null;
  readonly attrs: JsonObject;
}

export interface TagResult {
  /** Those whose attributes are others now; under a dry run, would be. */
  readonly changed: readonly Tagged[];
  /** Null: nothing changed, or a dry run. */
  readonly commit: GitId | null;
  /** What was asked about, if nothing was to be changed. */
  readonly files?: readonly Tagged[];
}

/**
 * Edits what a person says of files and folders, as a commit of its own: contents are neither read nor needed, and what
 * is not committed yet stays so. Without an edit it tells the attributes.
 * @throws BkError `not-found`, `usage`, `locked`, `io`
 */
export function tag(repo: Repository, options: TagOptions, context: Context): TagResult {
  const { paths, edit, recursive = false, dryRun = false } = options;
  if (isNoEdit(edit)) {
    const files = headObjects(repo, paths, recursive).map((object) => tagged(object, object.record));
    return { changed: [], commit: null, files: files.sort(byPath) };
  }
  if (!dryRun) repo.beginWriting();
  const objects = headObjects(repo, paths, recursive);
  return commitAttributes(
    repo,
    objects.map((object) => ({ object, edit })),
    { dryRun, what: 'Tag' },
    context,
  );
}

/** An edit for one object. */
export interface ObjectEdit {
  readonly object: HeadObject;
  readonly edit: AttributeEdit;
}

/** Commits edits of attributes, each of another object. While writing, unless it is a dry run. */
export function commitAttributes(
  repo: Repository,
  edits: readonly ObjectEdit[],
  { dryRun, what }: { readonly dryRun: boolean; readonly what: string },
  context: Context,
): Pick<TagResult, 'changed' | 'commit'> {
  const newId = idSource(context);
  const made: RecordEdit[] = [];
  const changed: Tagged[] = [];
  for (const { object, edit } of edits) {
    const { attrs: before, ...rest } = object.record ?? freshFolder(newId);
    const attrs = editAttributes(before, edit);
    if (isSame(before, attrs)) continue;
    const record = { ...rest, ...(attrs && { attrs }) };
    made.push({ ...object, record: isNeedless(repo, object, record) ? null : record });
    changed.push(tagged(object, record));
  }
  if (changed.length === 0 || dryRun) return { changed: changed.sort(byPath), commit: null };
  const name = made.length === 1 ? made[0]!.path || 'the root' : `${made.length} files`;
  const commit = commitRecords(repo, { edits: made, message: `${what} ${name}` }, context);
  return { changed: changed.sort(byPath), commit };
}

function isSame(before: JsonObject | undefined, after: JsonObject | undefined): boolean {
  return formatJson(before ?? {}) === formatJson(after ?? {});
}

function tagged({ path }: HeadObject, record: Rec | undefined): Tagged {
  return { path, id: record?.id ?? null, attrs: record?.attrs ?? {} };
}

function byPath(a: Tagged, b: Tagged): number {
  return comparePaths(a.path, b.path);
}

/** A record of its own, for a folder that needed none. */
export function freshFolder(newId: () => ObjectId): Rec {
  return { v: 1, id: newId(), type: 'dir', mode: formatMode(PLAIN_FOLDER_MODE) };
}

/** A folder had its record only because of its attributes. */
function isNeedless({ index }: Repository, { path, isFolder }: HeadObject, record: Rec): boolean {
  if (!isFolder || parseMode(record.mode) !== PLAIN_FOLDER_MODE) return false;
  const { v: _v, id: _id, type: _type, mode: _mode, was: _was, ...says } = record;
  if (Object.keys(says).length > 0) return false;
  return (index.known(path)?.listing.names.length ?? 0) > 1;
}
