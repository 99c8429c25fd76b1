import {
  type ContentHash,
  DIRECTORY_RECORD,
  encodeName,
  type FsName,
  type GitId,
  HASH_BYTES,
  isHeldByHistory,
  joinPath,
  KIND,
  nameOf,
  parentOf,
  parseRecord,
  type Rec,
  type RepoPath,
  ROOT,
} from '@bk/core';
import type { Content, WantedPart } from '@bk/remote';
import { diffTrees, type HistoryReader, type TreeEntry } from '@bk/store';
import type { Repository } from '../repository.ts';
import { treeSelector } from '../subset/tree.ts';

/** A content that a remote wants and does not hold, with a path that it has in the head here. */
export interface Lacking extends Content {
  readonly path: RepoPath;
}

export interface Other {
  /** The newest commit that both have; undefined: none. */
  readonly common: GitId | undefined;
  /** Tree of what it holds; undefined: nothing. */
  readonly present: GitId | undefined;
  readonly subset: WantedPart;
}

/**
 * What the other repository needs to follow to a commit: contents that came since the common one, at paths that its
 * subset wants, and that it does not hold. What it let go of there is not brought back. The cost follows the change.
 */
export function lackingAt(repo: Repository, to: GitId, { common, present, subset }: Other): Lacking[] {
  const { history } = repo;
  const tree = history.readCommit(to).tree;
  const base = common === undefined ? undefined : history.readCommit(common).tree;
  if (tree === base) return [];
  const { wants } = treeSelector(history, tree, subset);
  const { before, after } = filesThatDiffer(history, base, tree);
  const there = present === undefined ? () => undefined : blobsOf(history, present);
  /** What it holds at the path that a file only moved away from, or let go of, it holds, or not, at the new one too. */
  const isSettled = (old: RepoPath, blob: GitId) => there(old) === blob || wants(old);
  const coming = new Map<ContentHash, Lacking>();
  const cameFrom = new Map<RepoPath, RepoPath[]>();
  for (const { path, id } of after) {
    const moved = before.get(id);
    if (moved !== undefined) cameFrom.set(path, moved);
    if (!wants(path) || moved?.some((old) => isSettled(old, id))) continue;
    const content = contentOf(history, id);
    if (content !== undefined && !coming.has(content.blake3))
      coming.set(content.blake3, { ...content, path });
  }
  if (coming.size === 0 || base === undefined) return [...coming.values()];
  const places = placesOf(repo, coming, { before, cameFrom });
  const earlier = blobsOf(history, base);
  return [...coming.values()].filter(({ blake3 }) => {
    const holds = (blob: GitId | undefined) =>
      blob !== undefined && contentOf(history, blob)?.blake3 === blake3;
    return !places.get(blake3)?.some((path) => holds(there(path)) || (wants(path) && holds(earlier(path))));
  });
}

interface BlobAt {
  readonly path: RepoPath;
  readonly id: GitId;
}

/** Records of files that only one of the trees has, or has otherwise; of the first by their blobs. */
function filesThatDiffer(
  reader: HistoryReader,
  base: GitId | undefined,
  tree: GitId,
): { readonly before: Map<GitId, RepoPath[]>; readonly after: BlobAt[] } {
  const before = new Map<GitId, RepoPath[]>();
  const after: BlobAt[] = [];
  for (const { path, before: old, after: now } of diffTrees(reader, base, tree)) {
    if (nameOf(path) === DIRECTORY_RECORD) continue;
    if (now !== undefined) after.push({ path, id: now });
    if (old === undefined) continue;
    const paths = before.get(old);
    if (paths === undefined) before.set(old, [path]);
    else paths.push(path);
  }
  return { before, after };
}

function contentOf(reader: HistoryReader, blob: GitId): Content | undefined {
  const record: Rec = parseRecord(reader.readBlobText(blob));
  const { blake3, size } = record;
  if (blake3 === undefined || size === undefined || isHeldByHistory(record)) return undefined;
  return { blake3, size };
}

/** Looks up records by their paths; each folder is read once. */
function blobsOf(reader: HistoryReader, root: GitId): (path: RepoPath) => GitId | undefined {
  const folders = new Map<RepoPath, ReadonlyMap<string, TreeEntry>>();
  const entriesOf = (folder: RepoPath): ReadonlyMap<string, TreeEntry> => {
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const above = folder === ROOT ? undefined : entriesOf(parentOf(folder)).get(nameOf(folder));
    const id = folder === ROOT ? root : above?.kind === 'tree' ? above.id : undefined;
    const entries = new Map(
      (id === undefined ? [] : reader.readTree(id)).map((entry) => [entry.name, entry]),
    );
    folders.set(folder, entries);
    return entries;
  };
  return (path) => {
    const entry = entriesOf(parentOf(path)).get(nameOf(path));
    return entry?.kind === 'blob' ? entry.id : undefined;
  };
}

/** Where contents are in the head here, and where they were in the common commit at paths that differ since. */
function placesOf(
  repo: Repository,
  coming: ReadonlyMap<ContentHash, unknown>,
  {
    before,
    cameFrom,
  }: { before: ReadonlyMap<GitId, RepoPath[]>; cameFrom: ReadonlyMap<RepoPath, RepoPath[]> },
): ReadonlyMap<ContentHash, readonly RepoPath[]> {
  const places = pathsOf(repo, coming);
  for (const paths of places.values()) paths.push(...paths.flatMap((path) => cameFrom.get(path) ?? []));
  // The record of a file that only moved need not be read: the index knows its content.
  const moved = new Set([...cameFrom.values()].flat());
  for (const [blob, paths] of before) {
    if (paths.every((path) => moved.has(path))) continue;
    const content = contentOf(repo.history, blob);
    if (content === undefined || !coming.has(content.blake3)) continue;
    places.set(content.blake3, [...(places.get(content.blake3) ?? []), ...paths]);
  }
  return places;
}

/** A file that was copied since has its content at a path that did not change: one pass over the index tells. */
function pathsOf(repo: Repository, sought: ReadonlyMap<ContentHash, unknown>): Map<ContentHash, RepoPath[]> {
  const paths = new Map<ContentHash, RepoPath[]>();
  const first = new Set([...sought.keys()].map((hash) => Number.parseInt(hash.slice(0, 8), 16)));
  for (const [folder, { listing, hashes }] of repo.index.below(ROOT)) {
    const column = Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength);
    for (let k = 1; k < listing.names.length; k++) {
      if (listing.kinds[k] !== KIND.file || !first.has(column.readUInt32BE(k * HASH_BYTES))) continue;
      const blake3 = column.toString('hex', k * HASH_BYTES, (k + 1) * HASH_BYTES) as ContentHash;
      if (!sought.has(blake3)) continue;
      const path = joinPath(folder, encodeName(listing.names[k] as FsName));
      paths.set(blake3, [...(paths.get(blake3) ?? []), path]);
    }
  }
  return paths;
}

/** The newest commit that is in both histories, by the order in which they are reached; undefined: they are unrelated. */
export function commonCommit(reader: HistoryReader, one: GitId, other: GitId): GitId | undefined {
  const theirs = new Set<GitId>();
  for (const id of ancestry(reader, other)) theirs.add(id);
  for (const id of ancestry(reader, one)) if (theirs.has(id)) return id;
  return undefined;
}

/** Breadth first, so the newest come first. */
function* ancestry(reader: HistoryReader, start: GitId): Generator<GitId> {
  const seen = new Set([start]);
  for (const id of seen) {
    yield id;
    for (const parent of reader.readCommit(id).parents) seen.add(parent);
  }
}
