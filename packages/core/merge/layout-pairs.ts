import type { RecordAt } from '../compare.ts';
import type { ContentHash, ObjectId } from '../ids.ts';
import { pairNearest } from '../nearest.ts';
import { compareNames, comparePaths, joinPath, nameOf, parentOf, type RepoPath } from '../path.ts';

/** Two files of one content that are to be one. */
export interface ContentPair {
  readonly chosen: RecordAt;
  readonly other: RecordAt;
}

/**
 * Pairs files of equal content, each at most once, best first: those that are one object already; at the same path; the
 * only ones of their content; of the rest the nearest paths, seen from where most of their neighbours go (the folder to
 * which their folder's files of the kinds before went). What is one object already but has another content on the
 * other side is paired with nothing.
 * @param chosen files with content, sorted by path, as `other`
 */
export function pairContents(
  chosen: readonly RecordAt[],
  other: readonly RecordAt[],
  shared: ReadonlySet<ObjectId>,
): ContentPair[] {
  const pairs: ContentPair[] = [];
  const used = pairObjects(pairs, { chosen, other, shared });
  pairSamePaths(pairs, { chosen, other, used });
  const groups = new Groups(chosen, other, used);
  const ambiguous = groups.pairSingles(pairs);
  const expected = expectations(pairs);
  for (const group of ambiguous) {
    const placed = group.other.map((entry) => ({ path: expected(entry.path), entry }));
    for (const [{ entry }, twin] of pairNearest(placed, group.chosen))
      pairs.push({ chosen: twin, other: entry });
  }
  return pairs;
}

interface Sides {
  readonly chosen: readonly RecordAt[];
  readonly other: readonly RecordAt[];
}

function isEqual(a: RecordAt, b: RecordAt): boolean {
  return a.record.blake3 === b.record.blake3;
}

/** Pairs entries of one object; returns them and those that are one object with two contents. */
function pairObjects(
  pairs: ContentPair[],
  { chosen, other, shared }: Sides & { readonly shared: ReadonlySet<ObjectId> },
): Set<RecordAt> {
  const used = new Set<RecordAt>();
  if (shared.size === 0) return used;
  const byId = new Map<ObjectId, RecordAt>();
  const sharedIds = (entry: RecordAt): ObjectId[] => idsOf(entry).filter((id) => shared.has(id));
  for (const entry of chosen) for (const id of sharedIds(entry)) if (!byId.has(id)) byId.set(id, entry);
  for (const entry of other) {
    const found = sharedIds(entry).map((id) => byId.get(id));
    const twin = found.find((one) => one !== undefined && !used.has(one));
    if (twin === undefined) continue;
    used.add(entry).add(twin);
    if (isEqual(twin, entry)) pairs.push({ chosen: twin, other: entry });
  }
  return used;
}

/** Ids that both trees have, those in `was` included. */
export function sharedIds(chosen: readonly RecordAt[], other: readonly RecordAt[]): Set<ObjectId> {
  const known = new Set<ObjectId>();
  for (const entry of chosen) for (const id of idsOf(entry)) known.add(id);
  const shared = new Set<ObjectId>();
  for (const entry of other) for (const id of idsOf(entry)) if (known.has(id)) shared.add(id);
  return shared;
}

function idsOf({ record }: RecordAt): readonly ObjectId[] {
  return record.was === undefined ? [record.id] : [record.id, ...record.was];
}

/** Adds what it pairs to `used`. */
function pairSamePaths(
  pairs: ContentPair[],
  { chosen, other, used }: Sides & { readonly used: Set<RecordAt> },
): void {
  let c = 0;
  for (const entry of other) {
    while (c < chosen.length && comparePaths(chosen[c]!.path, entry.path) < 0) c++;
    const twin = chosen[c];
    if (twin?.path !== entry.path || !isEqual(twin, entry) || used.has(twin) || used.has(entry)) continue;
    used.add(entry).add(twin);
    pairs.push({ chosen: twin, other: entry });
  }
}

/** All of one content that are not paired yet. */
interface Group {
  readonly chosen: RecordAt[];
  readonly other: RecordAt[];
}

/** Files by content. Nearly all contents are there once, so a group is only made of one that is not. */
class Groups {
  readonly #singles = new Map<ContentHash, { readonly chosen: RecordAt; other?: RecordAt }>();
  readonly #groups = new Map<ContentHash, Group>();

  constructor(chosen: readonly RecordAt[], other: readonly RecordAt[], used: ReadonlySet<RecordAt>) {
    for (const entry of chosen) {
      if (used.has(entry)) continue;
      const content = entry.record.blake3!;
      if (this.#singles.has(content)) this.#groupOf(content)!.chosen.push(entry);
      else this.#singles.set(content, { chosen: entry });
    }
    for (const entry of other) {
      if (used.has(entry)) continue;
      const content = entry.record.blake3!;
      const single = this.#singles.get(content);
      if (single === undefined) continue;
      if (single.other === undefined && !this.#groups.has(content)) single.other = entry;
      else this.#groupOf(content)!.other.push(entry);
    }
  }

  /** Pairs those that are alone on both sides; returns the others. */
  pairSingles(pairs: ContentPair[]): Group[] {
    for (const [content, { chosen, other }] of this.#singles)
      if (other !== undefined && !this.#groups.has(content)) pairs.push({ chosen, other });
    return [...this.#groups.values()];
  }

  #groupOf(content: ContentHash): Group | undefined {
    const known = this.#groups.get(content);
    const single = this.#singles.get(content);
    if (known !== undefined || single === undefined) return known;
    const group = { chosen: [single.chosen], other: single.other === undefined ? [] : [single.other] };
    this.#groups.set(content, group);
    return group;
  }
}

/** Where a file would be if it went where most of its folder's files go; of several such folders the first by bytes. */
function expectations(pairs: readonly ContentPair[]): (path: RepoPath) => RepoPath {
  const votes = new Map<RepoPath, Map<RepoPath, number>>();
  for (const { chosen, other } of pairs) {
    const [from, to] = [parentOf(other.path), parentOf(chosen.path)];
    const targets = votes.get(from) ?? new Map<RepoPath, number>();
    targets.set(to, (targets.get(to) ?? 0) + 1);
    votes.set(from, targets);
  }
  const favourites = new Map<RepoPath, RepoPath>();
  for (const [from, targets] of votes) {
    const ranked = [...targets].sort(([a, m], [b, n]) => n - m || compareNames(a, b));
    favourites.set(from, ranked[0]![0]);
  }
  return (path) => joinPath(favourites.get(parentOf(path)) ?? parentOf(path), nameOf(path));
}
