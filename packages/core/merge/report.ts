import type { JsonObject } from '../json.ts';
import { compareNames, type RepoPath } from '../path.ts';
import type { Rec } from '../record.ts';
import type { ConflictKind, MergeConflict, Merged, MergedEntry } from './input.ts';
import type { Contested, VersionAt } from './name-losers.ts';
import type { Placed } from './placed.ts';

/** A conflict of which the entry at its path tells, if there is one that has nothing else to tell. */
export interface OpenConflict extends MergeConflict {
  /** Paths of its versions. */
  readonly versions: readonly RepoPath[];
}

/** All parts of the merged tree, with no two at one path. */
export interface Parts {
  readonly alike: readonly MergedEntry[];
  readonly free: readonly Placed[];
  readonly contested: readonly Contested[];
}

/** Writes conflicts into the records that they are about, one in each, and puts all in order. */
export function reportMerged(
  { alike, free, contested }: Parts,
  collisions: readonly MergeConflict[],
  open: readonly OpenConflict[],
): Merged {
  const entries = alike.length === 0 ? [] : unreplaced(alike, free, contested);
  const conflicts: MergeConflict[] = [...collisions];
  const toTell = new Map<RepoPath, OpenConflict>();
  for (const one of joined(open)) {
    const { path, kind, kept } = one;
    conflicts.push({ path, kind, kept });
    toTell.set(path, one);
  }
  const hashOf = open.length === 0 ? () => undefined : hashesAt(free);
  for (const { entry, conflict } of free) {
    const told = toTell.get(entry.path);
    if (conflict !== undefined) {
      const { path, record } = entry;
      const versions = (conflict.wanted ?? [path]).map((wanted) => ({ path: wanted, record }));
      entries.push(withConflict({ path, record, kind: conflict.kind, versions }));
      conflicts.push({ path, kind: conflict.kind, kept: [] });
    } else if (told !== undefined) {
      const versions = told.versions.map((path) => ({ path, record: hashOf(path) ?? NOTHING }));
      entries.push(withConflict({ ...entry, kind: told.kind, versions }));
    } else entries.push(entry);
  }
  for (const entry of contested) entries.push(withConflict(entry));
  return { entries: entries.sort(byPath), conflicts: conflicts.sort(byPathAndKind) };
}

/** What came to a file that all three trees have alike may have made another record of it. */
function unreplaced(
  alike: readonly MergedEntry[],
  free: readonly Placed[],
  contested: readonly Contested[],
): MergedEntry[] {
  const replaced = new Set<RepoPath>();
  for (const { entry } of free) replaced.add(entry.path);
  for (const { path } of contested) replaced.add(path);
  return alike.filter(({ path }) => !replaced.has(path));
}

/** One of a kind at a path, in order. */
function joined(open: readonly OpenConflict[]): OpenConflict[] {
  const all: OpenConflict[] = [];
  for (const one of [...open].sort(byPathAndKind)) {
    const last = all.at(-1);
    if (last?.path !== one.path || last.kind !== one.kind) all.push(one);
    else {
      const [kept, versions] = [union(last.kept, one.kept), union(last.versions, one.versions)];
      all[all.length - 1] = { ...one, kept, versions };
    }
  }
  return all;
}

function union(a: readonly RepoPath[], b: readonly RepoPath[]): RepoPath[] {
  return [...new Set([...a, ...b])].sort(compareNames);
}

const NOTHING: Pick<Rec, 'blake3'> = {};

function hashesAt(free: readonly Placed[]): (path: RepoPath) => Rec | undefined {
  const records = new Map(free.map(({ entry }) => [entry.path, entry.record]));
  return (path) => records.get(path);
}

type Told = Omit<Contested, 'versions'> & {
  readonly versions: readonly (Pick<VersionAt, 'path'> & { readonly record: Pick<Rec, 'blake3'> })[];
};

function withConflict({ path, record, kind, versions }: Told): MergedEntry {
  return { path, record: { ...record, conflict: conflictField(kind, versions) } };
}

function conflictField(kind: ConflictKind, versions: Told['versions']): JsonObject {
  const sorted = versions
    .map(({ path, record }) => (record.blake3 === undefined ? { path } : { path, blake3: record.blake3 }))
    .sort((a, b) => compareNames(a.path, b.path) || compareNames(a.blake3 ?? '', b.blake3 ?? ''));
  return { kind, versions: sorted };
}

function byPath(a: { readonly path: RepoPath }, b: { readonly path: RepoPath }): number {
  return compareNames(a.path, b.path);
}

function byPathAndKind(a: MergeConflict, b: MergeConflict): number {
  return compareNames(a.path, b.path) || compareNames(a.kind, b.kind);
}
