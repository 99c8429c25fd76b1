import type { Change, ChangeSummary, ChangeType } from './change.ts';
import type { SeenEntry, TrackedEntry } from './entry.ts';
import { type Evidence, hasContent, sameInode } from './evidence.ts';
import { type FolderFacts, type Folders, folderChange, foldersAbove } from './folder-change.ts';
import type { Identified, IdentifiedEntry } from './identify.ts';
import type { ObjectId } from './ids.ts';
import { compareNames, comparePaths, type RepoPath } from './path.ts';

/**
 * What changed since the head, for people: one CHANGE a file (SPEC 3), sorted by path; folders as folderChange says.
 * Where a path has another type now, the deletion of the old object and the beginning of the new one are one
 * `typechange`. Several changes can bear one path: an object that was overwritten by a renamed one is `deleted`.
 */
export function changesOf(identified: Identified, folders: Folders): Change[] {
  const facts = folderFacts(identified, folders);
  const deleted = new Map<RepoPath, TrackedEntry>();
  for (const tracked of identified.deleted) deleted.set(tracked.path, tracked);
  const changes: (Change | undefined)[] = [];
  for (const entry of identified.entries) {
    const old = entry.object.kind === 'known' ? undefined : deleted.get(entry.seen.path);
    if (old !== undefined && old.type !== entry.seen.type) {
      deleted.delete(old.path);
      changes.push({ ...appeared('typechange', entry), fields: ['type'] });
    } else changes.push(changeOf(entry, facts));
  }
  for (const tracked of deleted.values()) {
    changes.push(tracked.type === 'dir' ? folderChange(tracked, undefined, facts) : deletion(tracked));
  }
  return sortChanges(changes.filter((change) => change !== undefined));
}

/** How many changes of each type there are; every type is there. */
export function summaryOf(changes: Iterable<Change>): ChangeSummary {
  const summary: Record<ChangeType, number> = {
    added: 0,
    modified: 0,
    renamed: 0,
    deleted: 0,
    metadata: 0,
    typechange: 0,
  };
  for (const change of changes) summary[change.type]++;
  return summary;
}

/** By path, then type, then where it came from. */
export function sortChanges(changes: Iterable<Change>): Change[] {
  return [...changes].sort(
    (a, b) =>
      comparePaths(a.path, b.path) ||
      compareNames(a.type, b.type) ||
      compareNames(a.from ?? '', b.from ?? '') ||
      compareNames(a.id ?? '', b.id ?? ''),
  );
}

function changeOf(entry: IdentifiedEntry, facts: FolderFacts): Change | undefined {
  const { seen, object } = entry;
  if (seen.type === 'dir') {
    if (object.kind === 'known') return folderChange(object.tracked, stateOf(seen, object.tracked.id), facts);
    return folderChange(undefined, stateOf(seen, idOf(entry)), facts);
  }
  if (object.kind !== 'known') return appeared('added', entry);
  return changeOfFile(seen, object.tracked, object.evidence);
}

function changeOfFile(seen: SeenEntry, tracked: TrackedEntry, evidence: Evidence): Change | undefined {
  const edited = contentDiffers(seen, tracked, evidence);
  const fields: string[] = [];
  if (edited) fields.push('content');
  if (seen.mode !== tracked.mode) fields.push('mode');
  if (seen.mtimeNs !== tracked.mtimeNs) fields.push('mtime');
  if (edited && seen.type === 'symlink') fields.push('target');
  const common = { path: seen.path, id: tracked.id, size: seen.size, ...contentOf(seen) };
  const changed = fields.length > 0 ? { fields } : {};
  if (seen.path !== tracked.path) return { type: 'renamed', from: tracked.path, ...common, ...changed };
  if (fields.length === 0) return undefined;
  if (!edited) return { type: 'metadata', ...common, fields };
  const suspect = isRot(seen, tracked) ? { suspect: 'rot' as const } : {};
  return { type: 'modified', ...common, fields, ...suspect };
}

/** Evidence of the same content; of a content that was not read, any other says that it is another one. */
const SAME: ReadonlySet<Evidence> = new Set(['same-path', 'same-inode', 'same-content']);

function contentDiffers(seen: SeenEntry, tracked: TrackedEntry, evidence: Evidence): boolean {
  if (seen.size !== tracked.size) return true;
  if (!hasContent(seen)) return false;
  if (seen.blake3 !== undefined) return seen.blake3 !== tracked.blake3;
  return !SAME.has(evidence);
}

/** Other bytes, though by inode, size and mtime nobody wrote. The change time says nothing: a chmod moves it. */
function isRot(seen: SeenEntry, tracked: TrackedEntry): boolean {
  return (
    seen.type === 'file' &&
    tracked.racy !== true &&
    seen.blake3 !== undefined &&
    sameInode(seen, tracked) &&
    seen.size === tracked.size &&
    seen.mtimeNs === tracked.mtimeNs
  );
}

function appeared(type: ChangeType, entry: IdentifiedEntry): Change {
  const id = idOf(entry);
  const known = id === undefined ? {} : { id };
  return { type, path: entry.seen.path, ...known, size: sizeOf(entry.seen), ...contentOf(entry.seen) };
}

function deletion(tracked: TrackedEntry): Change {
  const { path, id, size } = tracked;
  return { type: 'deleted', path, id, size, ...contentOf(tracked) };
}

function idOf({ object }: IdentifiedEntry): ObjectId | undefined {
  if (object.kind === 'new') return undefined;
  return object.kind === 'known' ? object.tracked.id : object.departed.id;
}

function stateOf(seen: SeenEntry, id: ObjectId | undefined) {
  return id === undefined ? { path: seen.path, mode: seen.mode } : { path: seen.path, mode: seen.mode, id };
}

/** What the file system says is the size of a folder means nothing. */
function sizeOf(entry: SeenEntry): number {
  return entry.type === 'dir' ? 0 : entry.size;
}

function contentOf({ blake3 }: TrackedEntry | SeenEntry): Pick<Change, 'blake3'> {
  return blake3 === undefined ? {} : { blake3 };
}

/** A folder that came or went as a whole has all that is or was in it among the identified; others are not asked for. */
function folderFacts(identified: Identified, folders: Folders): FolderFacts {
  const anyFolder =
    identified.entries.some(({ seen }) => seen.type === 'dir') ||
    identified.deleted.some((tracked) => tracked.type === 'dir');
  const now: RepoPath[] = [];
  const before: RepoPath[] = [];
  if (anyFolder) {
    for (const { seen, object } of identified.entries) {
      now.push(seen.path);
      if (object.kind === 'known') before.push(object.tracked.path);
    }
    for (const tracked of identified.deleted) before.push(tracked.path);
  }
  const filledNow = foldersAbove(now);
  const filledBefore = foldersAbove(before);
  return {
    ...folders,
    filledNow: (path) => filledNow.has(path),
    filledBefore: (path) => filledBefore.has(path),
  };
}
