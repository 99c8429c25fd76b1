import type { Change, ChangeType } from './change.ts';
import { sortChanges } from './diff.ts';
import {
  type FolderFacts,
  type FolderState,
  type Folders,
  folderChange,
  foldersAbove,
} from './folder-change.ts';
import type { ObjectId } from './ids.ts';
import { formatJson, type JsonValue } from './json.ts';
import type { RepoPath } from './path.ts';
import { parseMode, type Rec } from './record.ts';

/** A record at its path; that of a folder (`.bkdir`) at the folder's own path. */
export interface RecordAt {
  readonly path: RepoPath;
  readonly record: Rec;
}

/**
 * What differs between two commits, matched by object id, also by those in `was`; what is left is matched by path,
 * so that a file that was deleted and made anew meanwhile is `modified`. Sorted by path. Subtrees that both commits
 * share may be left out, if the whole of what was moved is still in and `folders` knows about the rest.
 */
export function changesBetween(
  before: Iterable<RecordAt>,
  after: Iterable<RecordAt>,
  folders?: Folders,
): Change[] {
  const left = [...before];
  const right = [...after];
  const facts = factsOf(left, right, folders);
  const pairing = pairRecords(left, right);
  const changes: (Change | undefined)[] = [];
  for (const [old, now] of pairing.pairs) changes.push(changeBetween(old, now, facts));
  for (const old of pairing.left) changes.push(vanished(old, facts));
  for (const now of pairing.right) changes.push(appeared(now, facts));
  return sortChanges(changes.filter((change) => change !== undefined));
}

interface Pairing {
  readonly pairs: [RecordAt, RecordAt][];
  readonly left: Iterable<RecordAt>;
  readonly right: Iterable<RecordAt>;
}

/** Same id at the same path first: should a history hold an id twice, each stays what it was. */
function pairRecords(before: readonly RecordAt[], after: readonly RecordAt[]): Pairing {
  const left = new Set(before);
  const right = new Set(after);
  const pairs: [RecordAt, RecordAt][] = [];
  const pairBy = (keysOf: (at: RecordAt) => readonly string[]): void => {
    if (left.size === 0 || right.size === 0) return;
    const byKey = new Map<string, RecordAt>();
    for (const at of right) for (const key of keysOf(at)) if (!byKey.has(key)) byKey.set(key, at);
    for (const at of left) {
      const key = keysOf(at).find((candidate) => byKey.has(candidate));
      const other = key === undefined ? undefined : byKey.get(key);
      if (other === undefined || !right.delete(other)) continue;
      left.delete(at);
      pairs.push([at, other]);
    }
  };
  pairBy(({ path, record }) => [`${record.id}${path}`]);
  pairBy(({ record }) => [record.id]);
  pairBy(({ record }) => [record.id, ...(record.was ?? [])]);
  pairBy(({ path }) => [path]);
  return { pairs, left, right };
}

function changeBetween(before: RecordAt, after: RecordAt, facts: FolderFacts): Change | undefined {
  const [old, now] = [before.record, after.record];
  if (old.type === 'dir' && now.type === 'dir') {
    return folderChange(stateOf(before), stateOf(after), facts) ?? attributesChange(before, after);
  }
  const fields = fieldsBetween(old, now);
  const common = { path: after.path, ...identity(now) };
  if (old.type !== now.type) return { type: 'typechange', ...common, fields: ['type'] };
  const changed = fields.length > 0 ? { fields } : {};
  if (before.path !== after.path) return { type: 'renamed', from: before.path, ...common, ...changed };
  if (fields.length === 0) return undefined;
  return { type: fields.includes('content') ? 'modified' : 'metadata', ...common, fields };
}

/** A folder's tags, title or kind changed, at whatever path. */
function attributesChange(before: RecordAt, after: RecordAt): Change | undefined {
  const fields = fieldsBetween(before.record, after.record);
  if (fields.length === 0) return undefined;
  return { type: 'metadata', path: after.path, ...identity(after.record), fields };
}

function vanished(old: RecordAt, facts: FolderFacts): Change | undefined {
  if (old.record.type === 'dir')
    return folderChange(stateOf(old), undefined, facts) ?? (facts.now(old.path) ? saidOf(old) : undefined);
  return whole('deleted', old);
}

function appeared(now: RecordAt, facts: FolderFacts): Change | undefined {
  if (now.record.type === 'dir')
    return folderChange(undefined, stateOf(now), facts) ?? (facts.before(now.path) ? saidOf(now) : undefined);
  return whole('added', now);
}

/** Of a folder that stays, the record that came or went with what a person said of it. */
function saidOf({ path, record }: RecordAt): Change | undefined {
  const fields = ['attrs', 'entity'].filter((field) => field in record);
  return fields.length === 0 ? undefined : { type: 'metadata', path, ...identity(record), fields };
}

function whole(type: ChangeType, { path, record }: RecordAt): Change {
  return { type, path, ...identity(record) };
}

function identity(record: Rec): Pick<Change, 'id' | 'size' | 'blake3'> {
  const size = record.size ?? 0;
  return record.blake3 === undefined
    ? { id: record.id, size }
    : { id: record.id, size, blake3: record.blake3 };
}

function stateOf({ path, record }: RecordAt): FolderState & { readonly id: ObjectId } {
  return { path, id: record.id, mode: parseMode(record.mode) };
}

/** Names of the fields that differ, sorted; the hash is called `content`, and what follows from it is not named. */
function fieldsBetween(old: Rec, now: Rec): string[] {
  const left = old as unknown as Readonly<Record<string, JsonValue | undefined>>;
  const right = now as unknown as Readonly<Record<string, JsonValue | undefined>>;
  const edited = old.blake3 !== now.blake3;
  const fields = new Set<string>();
  for (const key of [...Object.keys(left), ...Object.keys(right)]) {
    if (key === 'v' || key === 'id' || key === 'was' || key === 'size') continue;
    if (key === 'hashes' && edited) continue;
    if (!isSame(left[key], right[key])) fields.add(key === 'blake3' ? 'content' : key);
  }
  return [...fields].sort();
}

function isSame(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || typeof a !== 'object' || typeof b !== 'object') return false;
  return formatJson(a) === formatJson(b);
}

/** Without `folders`, a folder is there if anything given is in it. */
function factsOf(before: readonly RecordAt[], after: readonly RecordAt[], folders?: Folders): FolderFacts {
  const filledBefore = foldersAbove(before.map(({ path }) => path));
  const filledNow = foldersAbove(after.map(({ path }) => path));
  return {
    before: folders?.before ?? ((path) => filledBefore.has(path)),
    now: folders?.now ?? ((path) => filledNow.has(path)),
    filledBefore: (path) => filledBefore.has(path),
    filledNow: (path) => filledNow.has(path),
  };
}
