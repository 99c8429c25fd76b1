import type { ObjectId } from '../ids.ts';
import { compareNames, type RepoPath } from '../path.ts';
import type { MergeEntry } from './input.ts';

/** One object (or one folder's record) in the three trees. */
export interface MergeObject {
  readonly base: MergeEntry | undefined;
  /** At least one of the three is there. */
  readonly sides: readonly [MergeEntry | undefined, MergeEntry | undefined];
}

type Entries = readonly MergeEntry[];

/**
 * Which entries of three trees are one object: those of one id, then those of which one was the other (`was`). Each
 * entry belongs to exactly one object, also where a tree has an id twice.
 */
export function matchObjects(base: Entries, sides: readonly [Entries, Entries]): MergeObject[] {
  const partners = [pairEntries(base, sides[0]), pairEntries(base, sides[1])] as const;
  const objects: MergeObject[] = base.map((entry) => ({
    base: entry,
    sides: [partners[0].get(entry), partners[1].get(entry)],
  }));
  const added = [unpaired(sides[0], partners[0]), unpaired(sides[1], partners[1])] as const;
  const both = pairEntries(added[0], added[1]);
  for (const entry of added[0]) objects.push({ base: undefined, sides: [entry, both.get(entry)] });
  for (const entry of unpaired(added[1], both)) objects.push({ base: undefined, sides: [undefined, entry] });
  return objects;
}

type Pairs = Map<MergeEntry, MergeEntry>;

function unpaired(right: Entries, pairs: Pairs): MergeEntry[] {
  if (pairs.size === 0) return [...right];
  const taken = new Set(pairs.values());
  return right.filter((entry) => !taken.has(entry));
}

function pairEntries(left: Entries, right: Entries): Pairs {
  const pairs: Pairs = new Map();
  const index = new Map<ObjectId, MergeEntry>();
  const twice = new Set<ObjectId>();
  for (const entry of right) {
    if (index.has(entry.record.id)) twice.add(entry.record.id);
    else index.set(entry.record.id, entry);
  }
  const seen = new Set<ObjectId>();
  for (const { record } of left) {
    if (seen.has(record.id)) twice.add(record.id);
    seen.add(record.id);
  }
  for (const entry of left) {
    const other = index.get(entry.record.id);
    if (other !== undefined && !twice.has(entry.record.id)) pairs.set(entry, other);
  }
  for (const id of twice) pairTwice(pairs, withId(left, id), withId(right, id));
  pairFormer(pairs, left, right);
  return pairs;
}

function withId(entries: Entries, id: ObjectId): MergeEntry[] {
  return entries.filter(({ record }) => record.id === id).sort((a, b) => compareNames(a.path, b.path));
}

/** Should a history hold an id twice, each stays what it was; the others go by the order of their paths. */
function pairTwice(pairs: Pairs, left: Entries, right: Entries): void {
  const places = new Map<RepoPath, MergeEntry>(right.map((entry) => [entry.path, entry]));
  for (const entry of left) {
    const other = places.get(entry.path);
    if (other !== undefined) pairs.set(entry, other);
  }
  const taken = new Set(left.map((entry) => pairs.get(entry)));
  const rest = right.filter((entry) => !taken.has(entry));
  for (const entry of left) {
    if (pairs.has(entry)) continue;
    const other = rest.shift();
    if (other !== undefined) pairs.set(entry, other);
  }
}

/** Objects that were unified: the id of one is in the other's `was`, or both were a third. */
function pairFormer(pairs: Pairs, left: Entries, right: Entries): void {
  const someWas = (entries: Entries): boolean => entries.some(({ record }) => record.was !== undefined);
  if (!someWas(left) && !someWas(right)) return;
  const taken = new Set(pairs.values());
  const index = new Map<ObjectId, MergeEntry[]>();
  for (const entry of right) {
    if (taken.has(entry)) continue;
    for (const id of namesOf(entry)) index.set(id, [...(index.get(id) ?? []), entry]);
  }
  const candidates: [MergeEntry, MergeEntry][] = [];
  for (const entry of left) {
    if (pairs.has(entry)) continue;
    for (const id of namesOf(entry)) for (const other of index.get(id) ?? []) candidates.push([entry, other]);
  }
  for (const [entry, other] of candidates.sort(byPaths)) {
    if (pairs.has(entry) || taken.has(other)) continue;
    pairs.set(entry, other);
    taken.add(other);
  }
}

function namesOf({ record }: MergeEntry): ObjectId[] {
  return [record.id, ...(record.was ?? [])];
}

/** The same order whichever tree is called left. */
function byPaths(a: readonly [MergeEntry, MergeEntry], b: readonly [MergeEntry, MergeEntry]): number {
  const [aLow, aHigh] = sorted(a);
  const [bLow, bHigh] = sorted(b);
  return compareNames(aLow, bLow) || compareNames(aHigh, bHigh);
}

function sorted([a, b]: readonly [MergeEntry, MergeEntry]): [RepoPath, RepoPath] {
  return compareNames(a.path, b.path) <= 0 ? [a.path, b.path] : [b.path, a.path];
}
