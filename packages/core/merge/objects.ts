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
  const index = new Map<ObjectId, number>();
  const again: number[] = [];
  base.forEach(({ record }, i) => {
    if (index.has(record.id)) again.push(i);
    else index.set(record.id, i);
  });
  const first = pairEntries(base, sides[0], index, again);
  const second = pairEntries(base, sides[1], index, again);
  const objects: MergeObject[] = base.map((entry, i) => ({
    base: entry,
    sides: [first.partners[i], second.partners[i]],
  }));
  return objects.concat(matchAdded(first.rest, second.rest));
}

function matchAdded(first: Entries, second: Entries): MergeObject[] {
  if (first.length === 0) return second.map((entry) => ({ base: undefined, sides: [undefined, entry] }));
  const index = new Map<ObjectId, number>();
  const again: number[] = [];
  first.forEach(({ record }, i) => {
    if (index.has(record.id)) again.push(i);
    else index.set(record.id, i);
  });
  const { partners, rest } = pairEntries(first, second, index, again);
  const objects = first.map((entry, i): MergeObject => ({ base: undefined, sides: [entry, partners[i]] }));
  for (const entry of rest) objects.push({ base: undefined, sides: [undefined, entry] });
  return objects;
}

interface Pairing {
  /** For each entry of the left, its partner. */
  readonly partners: (MergeEntry | undefined)[];
  readonly rest: Entries;
}

/**
 * @param index where an id is on the left, the first time
 * @param again the left entries that have the id of an earlier one
 */
function pairEntries(
  left: Entries,
  right: Entries,
  index: ReadonlyMap<ObjectId, number>,
  again: readonly number[],
): Pairing {
  const partners = new Array<MergeEntry | undefined>(left.length).fill(undefined);
  const rest: MergeEntry[] = [];
  const twice = new Set(again.map((i) => left[i]?.record.id));
  for (const entry of right) {
    const i = index.get(entry.record.id);
    if (i === undefined) rest.push(entry);
    else if (partners[i] === undefined) partners[i] = entry;
    else twice.add(entry.record.id);
  }
  const unsettled = twice.size === 0 ? rest : pairTwice(left, right, partners, twice);
  return pairFormer(left, partners, unsettled);
}

/** Should a history hold an id twice, each stays what it was; the others go by the order of their paths. */
function pairTwice(
  left: Entries,
  right: Entries,
  partners: (MergeEntry | undefined)[],
  twice: ReadonlySet<ObjectId | undefined>,
): MergeEntry[] {
  const places = new Map<RepoPath, number>();
  const waiting = new Map<ObjectId, number[]>();
  left.forEach(({ path, record }, i) => {
    if (!twice.has(record.id)) return;
    places.set(path, i);
    waiting.set(record.id, [...(waiting.get(record.id) ?? []), i]);
    partners[i] = undefined;
  });
  const others = right.filter(({ record }) => twice.has(record.id)).sort(byPath);
  const rest: MergeEntry[] = [];
  for (const entry of others) {
    const i = places.get(entry.path);
    if (i !== undefined && left[i]?.record.id === entry.record.id) partners[i] = entry;
    else rest.push(entry);
  }
  for (const indexes of waiting.values()) indexes.sort((a, b) => compareNames(left[a]!.path, left[b]!.path));
  const unpaired = rest.filter((entry) => {
    const i = waiting.get(entry.record.id)?.find((candidate) => partners[candidate] === undefined);
    if (i !== undefined) partners[i] = entry;
    return i === undefined;
  });
  const paired = new Set(partners);
  return [...right.filter((entry) => !twice.has(entry.record.id) && !paired.has(entry)), ...unpaired];
}

/** Objects that were unified: the id of one is in the other's `was`, or both were a third. */
function pairFormer(left: Entries, partners: (MergeEntry | undefined)[], rest: Entries): Pairing {
  const someWas = (entries: Entries): boolean => entries.some(({ record }) => record.was !== undefined);
  if (rest.length === 0 || (!someWas(rest) && !someWas(left))) return { partners, rest };
  const index = new Map<ObjectId, MergeEntry[]>();
  for (const entry of rest) for (const id of namesOf(entry)) index.set(id, [...(index.get(id) ?? []), entry]);
  const candidates: Candidate[] = [];
  left.forEach((entry, i) => {
    if (partners[i] !== undefined) return;
    for (const id of namesOf(entry)) {
      for (const other of index.get(id) ?? [])
        candidates.push({ i, other, paths: inOrder(entry.path, other.path) });
    }
  });
  const taken = new Set<MergeEntry>();
  for (const { i, other } of candidates.sort(byPaths)) {
    if (partners[i] !== undefined || taken.has(other)) continue;
    partners[i] = other;
    taken.add(other);
  }
  return { partners, rest: rest.filter((entry) => !taken.has(entry)) };
}

interface Candidate {
  readonly i: number;
  readonly other: MergeEntry;
  readonly paths: readonly [RepoPath, RepoPath];
}

function namesOf({ record }: MergeEntry): ObjectId[] {
  return [record.id, ...(record.was ?? [])];
}

function inOrder(a: RepoPath, b: RepoPath): [RepoPath, RepoPath] {
  return compareNames(a, b) <= 0 ? [a, b] : [b, a];
}

/** The same order whichever tree is called left. */
function byPaths({ paths: a }: Candidate, { paths: b }: Candidate): number {
  return compareNames(a[0], b[0]) || compareNames(a[1], b[1]);
}

function byPath(a: MergeEntry, b: MergeEntry): number {
  return compareNames(a.path, b.path);
}
