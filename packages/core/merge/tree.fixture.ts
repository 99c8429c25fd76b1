import { fakeHash } from '../disk.fixture.ts';
import { type GitId, gitId, type ObjectId, objectId } from '../ids.ts';
import type { JsonObject } from '../json.ts';
import { formatMtime } from '../mtime.ts';
import { compareNames, isInside, type RepoPath } from '../path.ts';
import { formatRecord, type Rec } from '../record.ts';
import type { Merged, MergeEntry, MergeFacts, MergeInput, SideNumber, Version, WhichTree } from './input.ts';
import { mergeTrees } from './merge.ts';

/**
 * A tree in words: `path: 'id content key=value …'`. A path that ends in `/` is a folder's own record (without content).
 * Keys: `t` (mtime, s), `m` (mode), `link` (a symlink to the content), `was=a,b`, `tags=a,b`, `title`, `rating`, `entity`, `atomic`.
 */
export type Words = Readonly<Record<string, string>>;
export type Tree = ReadonlyMap<RepoPath, MergeEntry>;

/** Ids that sort like their names. */
export function idOf(name: string): ObjectId {
  const hex = [...name].map((char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('');
  const digits = hex.padEnd(32, '0').slice(0, 32);
  return objectId(digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'));
}

export function entryOf(path: string, words: string): MergeEntry {
  const isFolder = path.endsWith('/');
  const [id = '', ...rest] = words.split(' ');
  const content = isFolder || (rest[0] ?? '').includes('=') ? '' : (rest.shift() ?? '');
  const options = new Map(rest.map((word) => word.split('=', 2) as [string, string]));
  const mode = options.get('m') ?? (isFolder ? '0755' : '0644');
  const list = (key: string): string[] | undefined => options.get(key)?.split(',').filter(Boolean);
  const attrs: Record<string, string | boolean | readonly string[]> = {};
  const tags = list('tags');
  if (tags !== undefined) attrs.tags = tags;
  for (const key of ['title', 'rating']) {
    const value = options.get(key);
    if (value !== undefined) attrs[key] = value;
  }
  if (options.has('atomic')) attrs.atomic = true;
  const entity = options.get('entity');
  const was = list('was')?.map(idOf).sort();
  const record: Rec = {
    v: 1,
    id: idOf(id),
    mode,
    ...(isFolder ? { type: 'dir' as const } : contentOf(content, options)),
    ...(Object.keys(attrs).length === 0 ? {} : { attrs: attrs as JsonObject }),
    ...(entity === undefined ? {} : { entity }),
    ...(was === undefined ? {} : { was }),
  };
  return withBlob((isFolder ? path.slice(0, -1) : path) as RepoPath, record);
}

function contentOf(content: string, options: ReadonlyMap<string, string>) {
  const mtime = formatMtime(BigInt(options.get('t') ?? '0') * 1_000_000_000n);
  const common = { blake3: fakeHash(content), size: content.length, mtime };
  return options.has('link')
    ? { type: 'symlink' as const, target: content, ...common }
    : { type: 'file' as const, ...common };
}

export function withBlob(path: RepoPath, record: Rec): MergeEntry {
  return { path, record, blob: gitId(fakeHash(formatRecord(record)).slice(0, 40)) };
}

export function treeOf(words: Words): Tree {
  const entries = Object.entries(words).map(([path, text]) => entryOf(path, text));
  return new Map(entries.map((entry) => [entry.path, entry]));
}

/** Later side: 1, unless told otherwise. */
export interface Sides {
  readonly versions?: MergeFacts['version'];
  readonly pruned?: boolean;
}

export const ALPHA_THEN_BETA: MergeFacts['version'] = (side): Version => versionNumber(side);

function versionNumber(side: SideNumber): Version {
  const commit = String(side + 1).repeat(40) as GitId;
  return { timeSec: 1000 + side, commit, repository: side === 0 ? 'alpha' : 'beta' };
}

export function factsOf(trees: readonly [Tree, Tree, Tree], version: MergeFacts['version']): MergeFacts {
  const treeAt = (which: WhichTree): Tree => trees[which === 'base' ? 0 : which + 1] as Tree;
  const folders = new Map<Tree, Set<string>>();
  const foldersOf = (tree: Tree): Set<string> => {
    let known = folders.get(tree);
    if (known !== undefined) return known;
    known = new Set(['']);
    for (const [path, { record }] of tree) {
      if (record.type === 'dir') known.add(path);
      for (let i = path.indexOf('/'); i > 0; i = path.indexOf('/', i + 1)) known.add(path.slice(0, i));
    }
    folders.set(tree, known);
    return known;
  };
  return {
    kindAt: (which, path) => {
      if (foldersOf(treeAt(which)).has(path)) return 'folder';
      return treeAt(which).has(path) ? 'file' : undefined;
    },
    below: (which, folder) => [...treeAt(which).values()].filter(({ path }) => isInside(path, folder)),
    entryAt: (which, path) => treeAt(which).get(path),
    version,
  };
}

/** What differs, as the caller of the merge leaves it. */
export function inputOf([base, first, second]: readonly [Tree, Tree, Tree]): MergeInput {
  const isAlike = (path: RepoPath): boolean => {
    const blob = base.get(path)?.blob;
    return first.get(path)?.blob === blob && second.get(path)?.blob === blob;
  };
  const pruned = (tree: Tree): MergeEntry[] => [...tree.values()].filter(({ path }) => !isAlike(path));
  return { base: pruned(base), sides: [pruned(first), pruned(second)] };
}

export interface Outcome {
  readonly merged: Merged;
  /** The whole merged tree. */
  readonly tree: Tree;
}

export function mergeWhole(trees: readonly [Tree, Tree, Tree], version = ALPHA_THEN_BETA): Outcome {
  const input = inputOf(trees);
  const merged = mergeTrees(input, factsOf(trees, version));
  const tree = new Map<RepoPath, MergeEntry>(trees[0]);
  for (const entries of [input.base, ...input.sides]) for (const { path } of entries) tree.delete(path);
  for (const { path, record } of merged.entries) tree.set(path, withBlob(path, record));
  return { merged, tree };
}

/** The same, with the sides changed over. */
export function mergeSwapped(
  [base, first, second]: readonly [Tree, Tree, Tree],
  version = ALPHA_THEN_BETA,
): Outcome {
  return mergeWhole([base, second, first], (side, entry) => version(side === 0 ? 1 : 0, entry));
}

/** What is where, in short: `path: 'id content'`; a folder's record as `path/: 'id'`. */
export function shortOf(tree: Tree, names: ReadonlyMap<string, string>): Record<string, string> {
  const short: Record<string, string> = {};
  for (const path of [...tree.keys()].sort(compareNames)) {
    const { record } = tree.get(path) as MergeEntry;
    const id = names.get(record.id) ?? 'new';
    if (record.type === 'dir') short[`${path}/`] = id;
    else short[path] = `${id} ${names.get(record.blake3 ?? '') ?? '?'}`;
  }
  return short;
}

/** Names of ids and contents in words. */
export function namesIn(...all: readonly Words[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const words of all) {
    for (const [path, text] of Object.entries(words)) {
      const [id = '', content = ''] = text.split(' ');
      names.set(idOf(id), id);
      if (!path.endsWith('/')) names.set(fakeHash(content.includes('=') ? '' : content), content);
    }
  }
  return names;
}
