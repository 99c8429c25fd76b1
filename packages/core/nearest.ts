import { comparePaths, nameOf, parentOf, type RepoPath } from './path.ts';

interface Placed {
  readonly path: RepoPath;
}

/** A sorted copy, by the bytes of the paths; entries with one path keep their order. */
export function sortByPath<T>(entries: Iterable<T>, pathOf: (entry: T) => RepoPath): T[] {
  const sorted = [...entries];
  if (sorted.some((entry) => BEYOND.test(pathOf(entry)))) {
    return sorted.sort((a, b) => comparePaths(pathOf(a), pathOf(b)));
  }
  return sorted.sort((a, b) => (pathOf(a) < pathOf(b) ? -1 : pathOf(a) > pathOf(b) ? 1 : 0));
}

/** From U+D800 on the order of UTF-16 units is not that of the bytes; below it the native comparison is right and fast. */
const BEYOND = /[\ud800-\uffff]/;

/**
 * Pairs as many entries of both sides as there are in the smaller one, nearest first: those that share most leading
 * folders, among them those with the same file name, the rest in the order of their bytes. Depends on the paths
 * alone, not on the order of the input. Cost: one sort, then every entry is looked at once in each folder above it
 * where paths branch.
 */
export function pairNearest<L extends Placed, F extends Placed>(
  lost: readonly L[],
  found: readonly F[],
): [L, F][] {
  if (lost.length === 0 || found.length === 0) return [];
  if (lost.length === 1 && found.length === 1) return [[lost[0]!, found[0]!]];
  const pairs: [L, F][] = [];
  const open: Folder<L, F>[] = [newFolder('')];
  for (const item of inOrder(lost, found)) {
    const folder = parentOf(item.path);
    closeUpTo(open, commonFolder(open.at(-1)!.folder, folder), pairs);
    if (open.at(-1)!.folder !== folder) open.push(newFolder(folder));
    const top = open.at(-1)!;
    if (item.lost !== undefined) top.lost.push(item.lost);
    if (item.found !== undefined) top.found.push(item.found);
  }
  closeUpTo(open, '', pairs);
  pairWithin(open[0]!, pairs);
  return pairs;
}

/** A folder whose entries are being collected: those directly in it and what its folders could not pair, sorted. */
interface Folder<L, F> {
  readonly folder: string;
  lost: L[];
  found: F[];
}

function newFolder<L, F>(folder: string): Folder<L, F> {
  return { folder, lost: [], found: [] };
}

interface Item<L, F> extends Placed {
  readonly lost?: L;
  readonly found?: F;
}

function inOrder<L extends Placed, F extends Placed>(lost: readonly L[], found: readonly F[]): Item<L, F>[] {
  const items: Item<L, F>[] = lost.map((entry) => ({ path: entry.path, lost: entry }));
  for (const entry of found) items.push({ path: entry.path, found: entry });
  return sortByPath(items, (item) => item.path);
}

/** Pairs within every open folder below `folder`, innermost first, and hands what is left to the next one out. */
function closeUpTo<L extends Placed, F extends Placed>(
  open: Folder<L, F>[],
  folder: string,
  pairs: [L, F][],
): void {
  while (open.at(-1)!.folder.length > folder.length) {
    const closed = open.pop()!;
    pairWithin(closed, pairs);
    if (open.at(-1)!.folder.length < folder.length) open.push(newFolder(folder));
    const outer = open.at(-1)!;
    for (const entry of closed.lost) outer.lost.push(entry);
    for (const entry of closed.found) outer.found.push(entry);
  }
}

/** Afterwards at least one side of the folder is empty. */
function pairWithin<L extends Placed, F extends Placed>(folder: Folder<L, F>, pairs: [L, F][]): void {
  if (folder.lost.length === 0 || folder.found.length === 0) return;
  pairNames(folder, pairs);
  const count = Math.min(folder.lost.length, folder.found.length);
  for (let i = 0; i < count; i++) pairs.push([folder.lost[i]!, folder.found[i]!]);
  folder.lost = folder.lost.slice(count);
  folder.found = folder.found.slice(count);
}

function pairNames<L extends Placed, F extends Placed>(folder: Folder<L, F>, pairs: [L, F][]): void {
  const byName = new Map<string, { readonly entries: L[]; next: number }>();
  for (const entry of folder.lost) {
    const name = nameOf(entry.path);
    const same = byName.get(name);
    if (same === undefined) byName.set(name, { entries: [entry], next: 0 });
    else same.entries.push(entry);
  }
  const taken = new Set<L>();
  folder.found = folder.found.filter((entry) => {
    const same = byName.get(nameOf(entry.path));
    const nearest = same?.entries[same.next++];
    if (nearest === undefined) return true;
    taken.add(nearest);
    pairs.push([nearest, entry]);
    return false;
  });
  if (taken.size > 0) folder.lost = folder.lost.filter((entry) => !taken.has(entry));
}

/** The innermost folder that is, or holds, both. */
function commonFolder(a: string, b: string): string {
  if (a === b) return a;
  const end = Math.min(a.length, b.length);
  let slash = 0;
  let i = 0;
  for (; i < end && a[i] === b[i]; i++) if (a[i] === '/') slash = i;
  if (i === end && (a.length > end ? a[end] : b[end]) === '/') slash = end;
  return a.slice(0, slash);
}
