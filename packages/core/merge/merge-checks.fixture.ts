import { NAME_BYTES } from '../beside.ts';
import type { RecordAt } from '../compare.ts';
import type { ObjectId } from '../ids.ts';
import { formatJson } from '../json.ts';
import { decodeName, isCanonicalName } from '../name.ts';
import { comparePaths, nameOf, parentOf, type RepoPath, ROOT } from '../path.ts';
import { formatRecord, parseRecord, type Rec } from '../record.ts';
import type { MergeConflict, Merged, MergeEntry, MergeInput } from './input.ts';
import { blobOf, derivedId, isDerivedId, type Tree } from './merge-tree.fixture.ts';

/** Three whole trees, what the engine was asked, and what it made of it. */
export interface MergeMade {
  readonly base: Tree;
  readonly sides: readonly [Tree, Tree];
  readonly input: MergeInput;
  readonly merged: Merged;
  /** The whole merged tree. */
  readonly tree: Tree;
}

/** What holds for every merge, whatever the trees: a valid tree, nothing lost, nothing resurrected, honest reports. */
export function problemsOf(made: MergeMade): string[] {
  return [...invalid(made), ...lost(made), ...misreported(made)];
}

function invalid({ sides, base, input, merged, tree }: MergeMade): string[] {
  const problems: string[] = [];
  const paths = merged.entries.map(({ path }) => path);
  if (!isSorted(paths)) problems.push(`not sorted by path: ${paths.join(', ')}`);
  if (new Set(paths).size < paths.length) problems.push(`two entries at one path: ${paths.join(', ')}`);
  const given = listed(input);
  for (const { path, record } of merged.entries) {
    const untouched = given.has(path) ? undefined : base.get(path);
    if (untouched !== undefined && ![record.id, ...(record.was ?? [])].includes(untouched.record.id))
      problems.push(`in the way of what stayed: ${path}`);
  }
  for (const { path, record } of tree.values())
    problems.push(...misnamed(path), ...misplaced(path, tree), ...malformed(path, record));
  if ([base, ...sides].every(hasOwnIds) && !hasOwnIds(tree)) problems.push('an id twice');
  const known = new Set(
    [...base.values(), ...sides[0].values(), ...sides[1].values()].map(({ blob }) => blob),
  );
  for (const { path, record, blob } of merged.entries) {
    const own = blobOf(record);
    // What has a conflict, or was copied, may happen to be as something was before.
    const isTold = record.conflict !== undefined || isDerivedId(record.id);
    if (known.has(own) && !isTold ? blob !== own : blob !== undefined && blob !== own)
      problems.push(`wrong blob: ${path}`);
  }
  return problems;
}

function misnamed(path: RepoPath): string[] {
  return (path === '' ? [] : path.split('/')).flatMap((name) => {
    if (!isCanonicalName(name)) return [`not canonical: ${path}`];
    return decodeName(nameOf(name as RepoPath)).length > NAME_BYTES ? [`too long: ${path}`] : [];
  });
}

function misplaced(path: RepoPath, tree: Tree): string[] {
  for (let above = parentOf(path); above !== ''; above = parentOf(above)) {
    const there = tree.get(above);
    if (there !== undefined && there.record.type !== 'dir')
      return [`a file is in the way of a folder: ${path}`];
  }
  return [];
}

function malformed(path: RepoPath, record: Rec): string[] {
  if (record.was?.includes(record.id)) return [`was what it is: ${path}`];
  const text = formatRecord(record);
  try {
    return formatRecord(parseRecord(text)) === text ? [] : [`not canonical: ${text}`];
  } catch (error) {
    return [`${path}: ${error}`];
  }
}

/** Contents and objects that must be in the merged tree, and those that must not. */
function lost({ base, sides, tree }: MergeMade): string[] {
  const trees = [base, ...sides, tree];
  const isKeptWhole = trees.some((one) => [...one.values()].some(isOfWhole));
  const same = sameObjects(trees, isKeptWhole);
  const [before, ...views] = trees.map((one) => objectsOf(one, same)) as [Objects, Objects, Objects, Objects];
  const [left, right, after] = views as [Objects, Objects, Objects];
  const kept = new Set([undefined, ...[...tree.values()].map(({ record }) => record.blake3)]);
  const problems: string[] = [];
  for (const [here, there] of [
    [left, right],
    [right, left],
  ] as const) {
    for (const [object, entries] of here) {
      const old = before.get(object) ?? [];
      const other = there.get(object) ?? [];
      for (const entry of entries) {
        if (!kept.has(entry.record.blake3) && !isSuperseded(entry, old, other))
          problems.push(`lost the content of ${entry.path}`);
      }
      const mayGo = old.length > 0 && other.length === 0;
      const must = mayGo ? entries.some((entry) => isWorked(entry, old)) : entries.some(saysSomething);
      if (must && !after.has(object)) problems.push(`lost ${entries.map(({ path }) => path)}`);
      if (mayGo && !isKeptWhole && entries.every((entry) => isUntouched(entry, old)) && after.has(object)) {
        problems.push(`deleted, and there again: ${entries.map(({ path }) => path)}`);
      }
    }
  }
  return problems;
}

/** The side left the content as it was, and the other one replaced or deleted it. */
function isSuperseded(entry: MergeEntry, old: readonly MergeEntry[], other: readonly MergeEntry[]): boolean {
  const { blake3 } = entry.record;
  return (
    old.some(({ record }) => record.blake3 === blake3) &&
    other.every(({ record }) => record.blake3 !== blake3)
  );
}

/** Edited, renamed, or described anew: what beats a deletion. A new folder alone may have been carried along. */
function isWorked(entry: MergeEntry, old: readonly MergeEntry[]): boolean {
  if (entry.record.type === 'dir' && !saysSomething(entry)) return false;
  return old.every(
    ({ path, record }) =>
      record.blake3 !== entry.record.blake3 ||
      (record.type !== 'dir' && nameOf(path) !== nameOf(entry.path)) ||
      record.entity !== entry.record.entity ||
      formatJson(record.attrs ?? {}) !== formatJson(entry.record.attrs ?? {}),
  );
}

function isUntouched(entry: MergeEntry, old: readonly MergeEntry[]): boolean {
  return old.some(({ path, blob }) => path === entry.path && blob === entry.blob);
}

function saysSomething({ record }: MergeEntry): boolean {
  return record.type !== 'dir' || record.attrs !== undefined || record.entity !== undefined;
}

type Objects = ReadonlyMap<string, readonly MergeEntry[]>;

function objectsOf(tree: Tree, same: (id: ObjectId) => string): Objects {
  return Map.groupBy(tree.values(), ({ record }) => same(record.id));
}

/** What is never split or blended, but kept twice or stays as a whole. */
function isOfWhole({ path, record }: MergeEntry): boolean {
  return path.includes('%2Egit') || record.attrs?.atomic === true;
}

/** One name for all ids of an object, joined by `was`, and if wanted those of copies of it. */
function sameObjects(trees: readonly Tree[], withCopies: boolean): (id: ObjectId) => string {
  const parents = new Map<string, string>();
  const find = (id: string): string => {
    const parent = parents.get(id);
    return parent === undefined ? id : find(parent);
  };
  for (const tree of trees) {
    for (const { record } of tree.values()) {
      const copies = withCopies ? [derivedId(record.id, record.blake3 ?? 'dir')] : [];
      for (const other of [...(record.was ?? []), ...copies]) {
        const [a, b] = [find(other), find(record.id)];
        if (a !== b) parents.set(a, b);
      }
    }
  }
  return find;
}

/** Conflicts name what is in the tree, and the records say the same. */
function misreported({ merged, tree, base, sides }: MergeMade): string[] {
  const problems: string[] = [];
  if (!isSorted(merged.conflicts.map(({ path }) => path))) problems.push('conflicts are not sorted');
  const told = new Set<string>();
  const listedEntries = new Map(merged.entries.map((entry) => [entry.path, entry]));
  for (const conflict of merged.conflicts) {
    for (const path of [conflict.path, ...conflict.kept]) {
      told.add(path);
      if (!exists(tree, path)) problems.push(`${conflict.kind} names what is not there: ${path}`);
    }
    if (!isSorted(conflict.kept)) problems.push(`kept is not sorted: ${conflict.path}`);
    problems.push(...unrecorded(conflict, listedEntries, base));
  }
  const old = new Set(
    [base, ...sides].flatMap((one) => [...one.values()].map(({ record }) => textOfConflict(record))),
  );
  for (const { path, record } of tree.values()) {
    if (record.conflict !== undefined && !told.has(path) && !old.has(textOfConflict(record))) {
      problems.push(`a conflict that nobody was told of: ${path}`);
    }
  }
  return problems;
}

function exists(tree: Tree, path: RepoPath): boolean {
  return path === ROOT || tree.has(path) || [...tree.keys()].some((other) => other.startsWith(`${path}/`));
}

function textOfConflict(record: Rec): string {
  return formatJson(record.conflict ?? {});
}

/**
 * Who tells of a conflict: the record that stays and the losers'. Not that of a folder that keeps its path, nor those of
 * names that differ by case but the greatest; and a folder without a record cannot, nor what is alike in all trees, also
 * where it is so only because the other version of a project that was kept twice stands beside it.
 */
function unrecorded(
  { path, kind, kept }: MergeConflict,
  entries: ReadonlyMap<RepoPath, RecordAt>,
  base: Tree,
): string[] {
  const telling = [...(kind === 'file-directory' ? [] : [path]), ...(kind === 'case' ? [] : kept)];
  return telling.flatMap((one) => {
    const record = entries.get(one)?.record;
    if (record === undefined) return [];
    const before = base.get(one)?.record;
    if (kind === 'case' && before !== undefined && formatRecord(before) === formatRecord(record)) return [];
    if (record.conflict === undefined) return [`does not tell of ${kind}: ${one}`];
    const versions = record.conflict.versions as readonly { path: string; blake3?: string }[];
    const sorted = [...versions].sort(
      (a, b) => comparePaths(a.path, b.path) || comparePaths(a.blake3 ?? '', b.blake3 ?? ''),
    );
    return formatJson(sorted as never) === formatJson(versions as never)
      ? []
      : [`versions are not sorted: ${one}`];
  });
}

function hasOwnIds(tree: Tree): boolean {
  return new Set([...tree.values()].map(({ record }) => record.id)).size === tree.size;
}

function listed(input: MergeInput): Set<RepoPath> {
  return new Set([input.base, ...input.sides].flatMap((entries) => entries.map(({ path }) => path)));
}

function isSorted(paths: readonly string[]): boolean {
  return paths.every((path, i) => i === 0 || comparePaths(paths[i - 1] ?? '', path) <= 0);
}
